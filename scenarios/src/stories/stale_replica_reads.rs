//! Story 35: reads are answered by a replica that is half a minute behind.

use crate::bank::Account;
use crate::workload::Deposits;
use quark::Client;
use quark_sim::Config;
use quark_testkit::history::{ClientEvent, Op, Outcome};
use quark_testkit::story::{Scenario, Story};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;

/// See its premise.
pub const SCENARIO: Scenario = Scenario {
    name: "stale-replica-reads",
    premise: "Reads of some silos or of all are answered by a replica that is thirty seconds behind, which no store may do, \
              and a primary does that has been replaced and does not know. Activations end and are claimed anew \
              meanwhile, silos crash and come back. What is decided on an old read is refused by the primary: accounts \
              may have to wait, and none loses an acknowledged deposit or shows less than it had.",
    sometimes: &["sim.store.stale_read", "sim.store.went_back", "durable.claim_raced"],
    world: |seed| {
        let mut world = Config::new(seed);
        world.store.replica_lag = Some(LAG);
        world
    },
    describe: |silo| silo.actor::<Account>(),
    tell: |story| Box::pin(tell(story)),
    ..Scenario::BLANK
};

const SILOS: [&str; 3] = ["a", "b", "c"];
const LAG: Duration = Duration::from_secs(30);
const ACCOUNTS: u64 = 12;
const READERS: u64 = 2;
/// The number of the first of them, beyond those of all depositors.
const READER: u64 = 100;

async fn tell(s: Story) {
    s.given("three silos, and accounts that were claimed longer ago than the replica is behind");
    s.cluster.start_all(&SILOS).await;
    let client = s.stage.client("client-visitor").await;
    for account in 0..ACCOUNTS {
        let balance = client.actor::<Account>(&format!("account-{account}")).balance().await;
        s.require("I5", balance == Ok(0), || format!("account-{account} does not serve: {balance:?}"));
    }
    s.stage.sleep(LAG + Duration::from_secs(1)).await;
    // So the replica has their owner rows, and nothing of the deposits: only the check of the state can tell.
    let load = Deposits::start(&s, 3, ACCOUNTS).await;
    let readers: Vec<_> = (0..READERS).map(|number| read_on(&s, &client, number)).collect();
    s.stage.sleep(Duration::from_secs(2) + s.draw_time("stale", 0, Duration::from_secs(2))).await;

    let stale: Vec<&str> = match s.draw("who reads", 0, 3) {
        0 => SILOS.to_vec(),
        _ => SILOS.into_iter().filter(|name| s.draw(&format!("{name} reads"), 0, 3) > 0).collect(),
    };
    s.when(format!("the replica answers the reads of {stale:?}"));
    for name in &stale {
        s.world.set_store_stale(s.cluster.node(name), true);
    }
    for turn in 0..3 {
        s.stage.sleep(s.draw_time("calm", turn, Duration::from_secs(3))).await;
        trouble(&s, turn, &stale).await;
    }
    s.stage.sleep(s.draw_time("lasts", 0, Duration::from_secs(20))).await;

    s.when("the primary answers all reads again");
    s.world.heal_store();
    for name in SILOS {
        if !s.stage.is_up(name) {
            let _ = s.stage.start(name).await;
        }
    }
    for reader in readers {
        reader.stop().await;
    }
    s.finally("every account serves, and has every acknowledged deposit");
    load.stop_and_check(&s).await;
}

/// A client that reads one balance after another. What it is told, the always-on checkers compare with what was
/// acknowledged before.
struct Reader {
    stop: Arc<AtomicBool>,
    ended: oneshot::Receiver<()>,
}

fn read_on(s: &Story, client: &Client, number: u64) -> Reader {
    let stop = Arc::new(AtomicBool::new(false));
    let (tell, ended) = oneshot::channel();
    let (story, client, stopped) = (s.clone(), client.clone(), stop.clone());
    s.world.driver("reader", async move {
        for turn in 0.. {
            if stopped.load(Ordering::Relaxed) {
                break;
            }
            read(&story, &client, number, turn).await;
            story.stage.sleep(Duration::from_millis(20)).await;
        }
        let _ = tell.send(());
    });
    Reader { stop, ended }
}

async fn read(s: &Story, client: &Client, number: u64, turn: u64) {
    let account = s.draw(&format!("read by {number}"), turn, ACCOUNTS);
    let reference = client.actor::<Account>(&format!("account-{account}"));
    let (reader, actor) = (READER + number, reference.id().clone());
    let op_id = reader << 32 | turn;
    let Some(recorder) = s.recorder() else { return };
    recorder.client(ClientEvent::Invoked { client: reader, op_id, actor, op: Op::Read });
    let answer = reference.balance().deadline(Duration::from_secs(5)).await;
    let outcome = answer.map_or(Outcome::Unknown, Outcome::Ok);
    recorder.client(ClientEvent::Returned { op_id, outcome });
}

impl Reader {
    async fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.ended.await;
    }
}

/// Something that makes silos read what they held in memory.
async fn trouble(s: &Story, turn: u64, stale: &[&str]) {
    // Never the third: a client all of whose gateways were replaced while nobody could tell it has to be told of another.
    let victim = SILOS[s.draw("victim", turn, 2) as usize];
    let lasts = Duration::from_millis(300) + s.draw_time("trouble lasts", turn, Duration::from_millis(700));
    match s.draw("trouble", turn, 4) {
        0 | 1 => {
            s.when("commits fail for a moment, and end the activations that made them");
            s.world.begin_store_outage();
            s.stage.sleep(lasts).await;
            s.world.end_store_outage();
        }
        2 => {
            s.when("the store loses answers for a moment");
            s.world.set_store_indeterminate(500_000, 500_000);
            s.stage.sleep(lasts).await;
            s.world.set_store_indeterminate(0, 500_000);
        }
        _ => {
            s.when(format!("{victim} loses power, and comes back"));
            s.stage.crash(victim);
            s.stage.sleep(lasts * 4).await;
            // Whoever joins by an old table is refused until it has caught up: nobody waits for that here.
            s.world.set_store_stale(s.cluster.node(victim), false);
            let _ = s.stage.start(victim).await;
            s.world.set_store_stale(s.cluster.node(victim), stale.contains(&victim));
        }
    }
}
