//! your-story: orders reserve seats while silos crash, hang and lose sight of each other.
//!
//! This file is yours: it was written to be changed. It needs in Cargo.toml `quark` (the package quark-rt) and `serde`, and
//! under [dev-dependencies] `quark-testkit`. `cargo test your_story_holds` tells the story with thirty seeds; a seed that
//! fails is made small, kept in target/quark-lab with its timeline, and told again by the line that the failure prints.

use quark::{Client, Deserialize, Serialize};
use quark_testkit::lab::{self, Config, Scenario, Story, SwarmConfig};
use std::collections::BTreeSet;
use std::time::Duration;

// 1. The actors. Use those of your program instead: nothing about them is special.

/// A show with so many seats.
#[derive(Default, Serialize, Deserialize)]
struct Show {
    orders: BTreeSet<String>,
}

#[quark::actor(kind = "your-story-show", durable)]
impl Show {
    /// Reserves a seat for an order; whether there is one. The same order asks for the same seat, however often it asks:
    /// take this away, and a repeated call takes two.
    fn reserve(&mut self, order: String) -> bool {
        let has_seat = self.orders.contains(&order) || self.orders.len() < SEATS;
        if has_seat {
            self.orders.insert(order);
        }
        has_seat
    }

    fn orders(&self) -> BTreeSet<String> {
        self.orders.clone()
    }
}

const SEATS: usize = 20;

// 2. The story: its name, its silos' actors, and how it goes.

const SCENARIO: Scenario = Scenario {
    name: "your-story",
    premise: "Four customers want thirty-two seats of twenty, and ask again where no answer comes. No seat is sold twice, \
              and whoever was told that there is a seat has one.",
    // What at least one seed in fifty has to come to: the names that you give to `reached!`, or `checked:` and a checker's.
    sometimes: &["your-story.asked_again"],
    // The simulated world of a seed: its network, its store, its clocks, its scheduler.
    world: Config::new,
    describe: |silo| silo.actor::<Show>(),
    tell: |story| Box::pin(tell(story)),
    ..Scenario::BLANK
};

const SILOS: [&str; 3] = ["a", "b", "c"];
const CUSTOMERS: u64 = 4;
const ORDERS: u64 = 8;
/// How long a call may take before its caller stops waiting.
const DEADLINE: Duration = Duration::from_secs(4);

async fn tell(s: Story) {
    // A knob: a smaller run tries the second number first.
    let silos = &SILOS[..s.knob("silos", 3, 2) as usize];
    s.given(format!("{} silos and {CUSTOMERS} customers", silos.len()));
    s.start_all(silos).await;
    // 3. What goes wrong: every fault that Quark promises to live with, a few kinds in each seed, for twenty seconds. Take
    // out what does not concern you (`faults.kinds.retain(..)`), or write a plan by hand: `s.faults(|| FaultPlan::new()..)`.
    let faults = SwarmConfig::new(silos, Duration::from_secs(20));
    let customers = lab::join_all((0..CUSTOMERS).map(|number| buy(s.clone(), number)));
    let (told, _) = lab::join(customers, lab::chaos(&s, silos, &faults)).await;
    let told: BTreeSet<String> = told.into_iter().flatten().collect();
    check(&s, &told).await;
}

/// 4. The workload: one customer, from first to last order. The orders that were told that they have a seat.
async fn buy(s: Story, number: u64) -> BTreeSet<String> {
    let who = format!("customer-{number}");
    let client = s.stage.client(&who).await;
    let mut told = BTreeSet::new();
    for turn in 0..ORDERS {
        // Draws are keyed by a purpose and a number: another one more moves none of these.
        s.stage.sleep(s.draw_time(&who, turn, Duration::from_secs(4))).await;
        // In a smaller run some operations are left out; they are asked for by who does them, and their number.
        let order = format!("{who}-{turn}");
        if s.does(&who, turn) && reserve(&s, &client, &order).await == Some(true) {
            told.insert(order);
        }
    }
    told
}

/// Asks until there is an answer. An error may mean that it has happened, that it has not, or that nobody knows.
async fn reserve(s: &Story, client: &Client, order: &str) -> Option<bool> {
    let show = client.actor::<Show>("hamlet");
    for _ in 0..ATTEMPTS_MAX {
        match show.reserve(order.to_owned()).deadline(DEADLINE).await {
            Ok(has_seat) => return Some(has_seat),
            Err(_) => lab::reached!("your-story.asked_again"),
        }
        s.stage.sleep(Duration::from_millis(500)).await;
    }
    s.violated("served", format!("{order} has no answer after {ATTEMPTS_MAX} calls"));
    None
}

const ATTEMPTS_MAX: usize = 200;

/// 5. What must hold. Besides, the checkers of all promises of Quark read what happened, and the cluster has to recover.
async fn check(s: &Story, told: &BTreeSet<String>) {
    let client = s.stage.client("auditor").await;
    // A call of which nobody knows may still run until its deadline is past.
    s.stage.sleep(DEADLINE * 2).await;
    match client.actor::<Show>("hamlet").orders().await {
        Ok(seated) => {
            s.finally(format!("{} of {} orders have a seat", seated.len(), CUSTOMERS * ORDERS));
            s.require("sold-once", seated.len() <= SEATS, || format!("{} seats were sold", seated.len()));
            s.require("kept", told.is_subset(&seated), || {
                format!("these were told that they have a seat: {:?}", told.difference(&seated))
            });
        }
        Err(error) => s.violated("served", format!("the show does not answer: {error}")),
    }
}

#[test]
fn your_story_holds() {
    lab::hold(&SCENARIO, 0..30);
}
