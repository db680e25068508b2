//! Story 38: links that damage, delay, repeat and swallow what they carry.

use crate::bank::Account;
use crate::workload::Deposits;
use quark::Client;
use quark_sim::{Conditions, Config, NodeId, Spread};
use quark_testkit::story::{Scenario, Story};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;

/// See its premise.
pub const SCENARIO: Scenario = Scenario {
    name: "rotten-pipe",
    premise: "Frames arrive damaged, cut short and overtaken, replies arrive twice; links clog, trickle, break and stay \
              half open, and the store's disk is full at times. What is damaged is refused, what broke is linked \
              again, every call ends by its deadline, and no acknowledged deposit is lost.",
    sometimes: &[
        "inbound.frame_refused",
        "client.frame_refused",
        "client.reply_unexpected",
        "client.failed_over",
        "sim.net.link_broken",
        "sim.net.half_open_broken",
        "sim.net.slowed",
        "sim.store.full",
    ],
    world: |seed| {
        let mut world = Config::new(seed);
        // Links that notice within the story that nobody is at their other end.
        world.network.keepalive =
            Spread::Uniform { min: Duration::from_millis(200), max: Duration::from_millis(900) };
        world
    },
    describe: |silo| silo.actor::<Account>(),
    tell: |story| Box::pin(tell(story)),
    ..Scenario::BLANK
};

const SILOS: [&str; 4] = ["a", "b", "c", "d"];
const ACCOUNTS: u64 = 16;
const DEPOSITORS: u64 = 3;
const READERS: u64 = 3;
const FAULTS: u64 = 8;
/// How late a client may tell that a deadline has passed: it looks ten times a second.
const TOLD_WITHIN: Duration = Duration::from_millis(150);
/// How soon deposits go on after the last fault: the deadline of a lost one, and the silence of a lost gateway.
const RECOVERY: Duration = Duration::from_secs(10);

async fn tell(s: Story) {
    s.given("four silos, steady deposits to sixteen accounts, and impatient readers");
    s.cluster.start_all(&SILOS).await;
    let load = Deposits::start(&s, DEPOSITORS, ACCOUNTS).await;
    let readers = Readers::start(&s).await;
    s.world.sleep(Duration::from_secs(1)).await;

    s.when("the network begins to rot");
    let (silos, clients) = nodes(&s);
    let rotten = Conditions {
        corrupt_ppm: 5_000 + s.draw("corrupt", 0, 7_000) as u32,
        reorder_ppm: s.draw("reorder", 0, 100_000) as u32,
        reorder_by: Duration::from_millis(60),
        ..Conditions::CLEAR
    };
    s.world.set_default_conditions(rotten);
    // Only replies are repeated: a request that arrives twice would break what every transport promises to calls.
    let repeating = Conditions { duplicate_ppm: 300_000, reorder_ppm: 300_000, ..rotten };
    for silo in &silos {
        for client in &clients {
            s.world.set_conditions(*silo, *client, Some(repeating));
        }
    }
    for turn in 0..FAULTS {
        s.world.sleep(s.draw_time("calm", turn, Duration::from_millis(700))).await;
        break_something(&s, &silos, &clients, turn).await;
    }

    s.when("the network is mended");
    s.world.set_default_conditions(Conditions::CLEAR);
    s.world.heal_network();
    let before = load.acknowledged();
    s.eventually("I7", "deposits go on", RECOVERY, || load.acknowledged() >= before + 20).await;
    readers.stop(&s).await;
    s.finally("every account serves, and has every acknowledged deposit");
    load.stop_and_check(&s).await;
    let damaged = s.world.meters().network.corrupted;
    s.require("story", damaged > 0, || "no frame was damaged: the story has not run".into());
}

/// The nodes of the silos, and of the clients that call them all the time.
fn nodes(s: &Story) -> (Vec<NodeId>, Vec<NodeId>) {
    let silos: Vec<_> = SILOS.iter().map(|name| s.cluster.node(name)).collect();
    let depositors = (0..DEPOSITORS).map(|number| format!("client-{number}"));
    let names = depositors.chain((0..READERS).map(|number| format!("reader-{number}")));
    let clients = names.map(|name| s.world.node(&name).expect("it has connected")).collect();
    (silos, clients)
}

/// Something happens to one direction between a silo and somebody else, or to the store.
async fn break_something(s: &Story, silos: &[NodeId], clients: &[NodeId], turn: u64) {
    let silo = silos[s.draw("silo", turn, silos.len() as u64) as usize];
    let others: Vec<NodeId> = silos.iter().chain(clients).copied().filter(|node| *node != silo).collect();
    let other = others[s.draw("other", turn, others.len() as u64) as usize];
    let (from, to) = if s.draw("direction", turn, 2) == 0 { (silo, other) } else { (other, silo) };
    let way = format!("from {} to {}", s.world.name(from), s.world.name(to));
    let lasts = Duration::from_millis(200) + s.draw_time("lasts", turn, Duration::from_millis(1000));
    match s.draw("fault", turn, 5) {
        0 => {
            s.when(format!("the connection {way} is lost, and nobody has noticed"));
            s.world.half_open(from, to);
            s.world.sleep(lasts).await;
        }
        1 => {
            s.when(format!("the way {way} is clogged for {lasts:?}"));
            s.world.clog(from, to);
            s.world.sleep(lasts).await;
            s.world.unclog(from, to);
        }
        2 => {
            // A frame of a call takes a good part of a second.
            let bytes_per_second = 200 + s.draw("rate", turn, 1_800) as u32;
            s.when(format!("the way {way} carries {bytes_per_second} bytes a second for {lasts:?}"));
            let usual = s.world.conditions(from, to);
            s.world.set_conditions(from, to, Some(Conditions { bytes_per_second, ..usual }));
            s.world.sleep(lasts).await;
            s.world.set_conditions(from, to, Some(usual));
        }
        3 => {
            s.when(format!("the store's disk is full for {lasts:?}"));
            s.world.set_store_full(true);
            s.world.sleep(lasts).await;
            s.world.set_store_full(false);
        }
        _ => {
            s.when(format!("the way {way} is cut for {lasts:?}"));
            s.world.cut(from, to);
            s.world.sleep(lasts).await;
            s.world.uncut(from, to);
        }
    }
}

/// Clients that read balances and do not wait for long.
struct Readers {
    stop: Arc<AtomicBool>,
    ended: Vec<oneshot::Receiver<(u64, u64)>>,
}

impl Readers {
    async fn start(s: &Story) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut ended = Vec::new();
        for number in 0..READERS {
            let client = s.stage.client(&format!("reader-{number}")).await;
            let (tell, told) = oneshot::channel();
            ended.push(told);
            let (story, stop) = (s.clone(), stop.clone());
            s.world.driver("reader", async move {
                let _ = tell.send(read(&story, &client, number, &stop).await);
            });
        }
        Self { stop, ended }
    }

    async fn stop(self, s: &Story) {
        self.stop.store(true, Ordering::Relaxed);
        let (mut answered, mut failed) = (0, 0);
        for reader in self.ended {
            let (answers, failures) = reader.await.expect("a reader ends when it is told to");
            answered += answers;
            failed += failures;
        }
        s.then(format!("{answered} readings were answered, {failed} were not, all of them in time"));
        s.require("I7", answered > failed, || format!("{failed} of {} readings failed", answered + failed));
    }
}

/// Reads one account after another; how many times it was answered, and how many times not.
async fn read(s: &Story, client: &Client, number: u64, stop: &AtomicBool) -> (u64, u64) {
    let (mut answered, mut failed) = (0, 0);
    while !stop.load(Ordering::Relaxed) {
        let turn = number << 32 | (answered + failed);
        let account = client.actor::<Account>(&format!("account-{}", s.draw("read", turn, ACCOUNTS)));
        let limit = Duration::from_millis(200) + s.draw_time("limit", turn, Duration::from_millis(600));
        let asked = s.world.now_true();
        let answer = account.balance().deadline(limit).await;
        let took = s.world.now_true().since(asked);
        s.require("I5", took <= limit + TOLD_WITHIN, || {
            format!("reader-{number} gave {limit:?} and was told after {took:?}: {answer:?}")
        });
        match answer {
            Ok(_) => answered += 1,
            Err(_) => failed += 1,
        }
        s.world.sleep(s.draw_time("rest", turn, Duration::from_millis(40))).await;
    }
    (answered, failed)
}
