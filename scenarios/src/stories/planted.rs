//! Stories that are wrong on purpose: each class of failure once, to see that it is noticed, named and told.
//!
//! They are hidden: no list shows them, and `run` without a name passes over them. Who wants to know whether a farm of
//! seeds reports what it finds runs `planted-canary` in it.

use quark_sim::Config;
use quark_testkit::story::{Scenario, Story};
use std::time::Duration;

/// Fails at one seed of a hundred, and is good at all others.
pub const CANARY: Scenario = Scenario {
    name: "planted-canary",
    premise: "Fails at every hundredth seed: if nobody hears of it, nobody would hear of anything.",
    tell: |story| Box::pin(canary(story)),
    ..PLANTED
};

/// Decides at one moment, in one future of five, that it will fail much later: whoever looks for the decision finds it there.
pub const DECISION: Scenario = Scenario {
    name: "planted-decision",
    premise: "At 7.3 s something is decided that nobody sees before 20 s: in one future of five, badly.",
    tell: |story| Box::pin(decision(story)),
    ..PLANTED
};

/// Waits for what never comes.
pub const DEADLOCK: Scenario = Scenario {
    name: "planted-deadlock",
    premise: "Waits for what never comes.",
    tell: |story| {
        Box::pin(async move {
            story.when("somebody waits for what never comes");
            std::future::pending::<()>().await;
        })
    },
    ..PLANTED
};

/// Is good, and never comes to what it is about.
pub const VACUOUS: Scenario = Scenario {
    name: "planted-vacuous",
    premise: "Is good, and never comes to what it is about.",
    sometimes: &["planted.never_reached"],
    ..PLANTED
};

/// Does things in the order of a randomly seeded map.
pub const HASH_ORDER: Scenario = Scenario {
    name: "planted-hash-order",
    premise: "Does things in the order of a randomly seeded map.",
    tell: |story| Box::pin(hash_order(story)),
    ..PLANTED
};

/// Does things in the order of addresses.
pub const ADDRESS_ORDER: Scenario = Scenario {
    name: "planted-address-order",
    premise: "Does things in the order in which memory was given out.",
    tell: |story| Box::pin(address_order(story)),
    ..PLANTED
};

/// Reads the real clock.
pub const REAL_CLOCK: Scenario = Scenario {
    name: "planted-real-clock",
    premise: "Reads the real clock.",
    tell: |story| Box::pin(real_clock(story)),
    ..PLANTED
};

const PLANTED: Scenario = Scenario {
    name: "",
    premise: "",
    world: Config::new,
    describe: |silo| silo,
    tell: |story| Box::pin(nothing(story)),
    ..Scenario::BLANK
};

async fn nothing(s: Story) {
    s.given("a moment in which nothing happens");
    s.stage.sleep(Duration::from_millis(1)).await;
}

async fn canary(s: Story) {
    s.given("a canary");
    s.stage.sleep(Duration::from_millis(1)).await;
    s.require("canary", !s.seed().is_multiple_of(100), || format!("the canary fell at seed {}", s.seed()));
}

async fn decision(s: Story) {
    s.given("a beginning that has nothing to do with it");
    s.stage.sleep(Duration::from_millis(7300)).await;
    let is_bad = s.draw("decision", 0, 5) == 0;
    s.stage.sleep(Duration::from_millis(12_700)).await;
    s.require("decision", !is_bad, || "it was decided long ago".into());
}

/// Far enough from the start that the first difference is behind a checkpoint or two.
const EVENTS_BEFORE: u32 = 2000;

async fn quiet_beginning(s: &Story) {
    s.given("a beginning without a difference");
    for _ in 0..EVENTS_BEFORE {
        s.stage.sleep(Duration::from_millis(1)).await;
    }
    s.world.note("the last that is the same");
}

#[expect(
    clippy::disallowed_types,
    clippy::iter_over_hash_type,
    reason = "planted: this is what has to be found"
)]
async fn hash_order(s: Story) {
    let map: std::collections::HashSet<u32> = (0..64).collect();
    quiet_beginning(&s).await;
    for number in &map {
        s.world.note(&format!("number {number}"));
    }
}

async fn address_order(s: Story) {
    let boxes: Vec<Box<u64>> = (0..64).map(Box::new).collect();
    quiet_beginning(&s).await;
    let address = std::ptr::from_ref::<u64>(&boxes[0]).addr();
    s.world.note(&format!("page {:x}", address >> 12));
}

#[expect(clippy::disallowed_types, reason = "planted: this is what has to be found")]
async fn real_clock(s: Story) {
    quiet_beginning(&s).await;
    std::hint::black_box(std::time::Instant::now());
}
