//! The checkers on histories of the real runtime. Silos crash, come back, freeze, are cut off and lose the store under load;
//! no promise is broken, and every checker has looked at something.

use parking_lot::Mutex;
use quark::{ActorContext, CallError, Client, Deserialize, Failure, Reminder, Schedule, Serialize};
use quark_core::{ActorId, WallTime};
use quark_sim::{Config, World};
use quark_testkit::checkers::{self, Report};
use quark_testkit::epilogue;
use quark_testkit::history::{ClientEvent, Op, Outcome, WorldEvent};
use quark_testkit::patron::{Account, outcome_of};
use quark_testkit::recorder::Recorder;
use quark_testkit::sim::SimCluster;
use quark_testkit::stage::Stage;
use quark_testkit::story::{Story, Violation};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Is reminded every second, counts how often, and tells an account.
#[derive(Default, Serialize, Deserialize)]
struct Clock {
    ticks: u64,
}

#[quark::actor(kind = "clock", durable)]
impl Clock {
    fn start(&mut self, ctx: &ActorContext) -> Result<(), String> {
        let first = WallTime(ctx.wall_time().0 + 1_000_000_000);
        let schedule = Schedule::every(first, Duration::from_secs(1)).map_err(|e| e.to_string())?;
        let reminders = ctx.reminders().map_err(|e| e.to_string())?;
        reminders.set(Reminder::new("tick", schedule), ctx.myself::<Self>().tick()).map_err(|e| e.to_string())
    }

    /// Writes a letter of it to an account that no client touches.
    fn tick(&mut self, ctx: &ActorContext) -> Result<(), String> {
        self.ticks += 1;
        let letter = ctx.actor::<Account>("chimes").deposit(1);
        ctx.outbox().and_then(|outbox| outbox.send(letter)).map_err(|e| e.to_string())
    }

    fn stop(&mut self, ctx: &ActorContext) -> Result<bool, String> {
        Ok(ctx.reminders().map_err(|e| e.to_string())?.cancel("tick"))
    }
}

/// Stands between a client and an account, elsewhere: its calls are nested, forwarded and ordered.
#[derive(Default, Serialize, Deserialize)]
struct Teller;

#[quark::actor(kind = "teller", placement = random)]
impl Teller {
    async fn deposit(&mut self, ctx: &ActorContext, key: String, amount: u64) -> Result<u64, Failure> {
        ctx.actor::<Account>(&key).deposit(amount).await.map_err(failure_of)
    }
}

fn failure_of(error: CallError) -> Failure {
    error.failure().expect("an account refuses nothing").clone()
}

const ACCOUNTS: u64 = 12;
const DEADLINE: Duration = Duration::from_secs(4);

/// One client that deposits, reads and asks tellers to deposit.
struct Visitor {
    number: u64,
    client: Client,
    cluster: SimCluster,
    recorder: Arc<Recorder>,
}

impl Visitor {
    async fn visit(&self, count: u64) {
        let draw = |purpose: u64| self.cluster.world().draw(self.number * 10 + purpose, count);
        let key = format!("a{}", draw(0) % ACCOUNTS);
        let op = if draw(1).is_multiple_of(4) { Op::Read } else { Op::Add(1 + draw(2) % 9) };
        let teller = draw(3).is_multiple_of(3).then(|| format!("t{}", draw(4) % 4));
        self.perform(count, &key, op, teller).await;
        self.cluster.sleep(Duration::from_millis(5 + draw(5) % 40)).await;
    }

    async fn perform(&self, count: u64, key: &str, op: Op, teller: Option<String>) -> Outcome {
        let op_id = self.number << 32 | count;
        let actor = ActorId::new("account", key).expect("a short key");
        self.recorder.client(ClientEvent::Invoked { client: self.number, op_id, actor, op });
        let account = self.client.actor::<Account>(key);
        let answer = match (op, teller) {
            (Op::Add(amount), Some(teller)) => {
                let teller = self.client.actor::<Teller>(&teller);
                match teller.deposit(key.to_owned(), amount).deadline(DEADLINE).await {
                    Ok(balance) => Ok(balance),
                    Err(CallError::App(failure) | CallError::Failed(failure)) => {
                        Err(CallError::Failed(failure))
                    }
                }
            }
            (Op::Add(amount), None) => {
                let deposit = account.deposit(amount).idempotency_key(u128::from(op_id)).deadline(DEADLINE);
                deposit.await
            }
            _ => account.balance().deadline(DEADLINE).await,
        };
        let outcome = outcome_of(&answer);
        self.recorder.client(ClientEvent::Returned { op_id, outcome });
        outcome
    }
}

/// Eight faults, one after another and some at once, as the seed draws.
async fn disturb(cluster: &SimCluster) {
    let world = cluster.world();
    let below = |n: u64, most_ms: u64| Duration::from_millis(world.draw(999, n) % most_ms);
    for n in 0..8 {
        let name = ["a", "b", "c", "d"][(world.draw(998, n) % 4) as usize];
        match world.draw(997, n) % 7 {
            0 => {
                cluster.crash(name);
                cluster.sleep(below(100 + n, 3_000)).await;
                let _ = cluster.start(name).await;
            }
            1 => {
                cluster.pause(name);
                cluster.sleep(below(100 + n, 9_000)).await;
                cluster.resume(name);
            }
            2 => {
                let others: Vec<_> = ["a", "b", "c", "d"].into_iter().filter(|o| *o != name).collect();
                cluster.partition(&[&[name], &others]);
                cluster.sleep(below(100 + n, 6_000)).await;
                cluster.heal();
            }
            3 => {
                world.cut_store(cluster.node(name));
                cluster.sleep(below(100 + n, 8_000)).await;
                world.uncut_store(cluster.node(name));
            }
            4 => {
                world.begin_store_outage();
                cluster.sleep(below(100 + n, 4_000)).await;
                world.end_store_outage();
            }
            5 => world.set_store_indeterminate(50_000, 500_000),
            _ => world.set_store_slow(20_000, 200_000),
        }
        cluster.sleep(below(200 + n, 1_500)).await;
    }
    cluster.heal();
    world.heal_store();
    for name in ["a", "b", "c", "d"] {
        if !cluster.is_up(name) {
            cluster.start(name).await.expect("all is healed");
        }
    }
}

/// What the checkers say, and what the epilogue waited for in vain.
fn run(seed: u64) -> (Report, Vec<Violation>) {
    let mut waited_in_vain = Vec::new();
    let mut world = World::new(Config::new(seed));
    let recorder = Recorder::of_world(&world.handle());
    let describe =
        Arc::new(|silo: quark::SiloBuilder| silo.actor::<Account>().actor::<Teller>().actor::<Clock>());
    let cluster = SimCluster::new(world.handle(), "real", describe, Some(recorder.clone()));
    world.block_on(async {
        cluster.start_all(&["a", "b", "c", "d"]).await;
        let stop = Arc::new(AtomicBool::new(false));
        for number in 1..=5 {
            let client = cluster.client(&format!("client-{number}")).await;
            let visitor = Visitor { number, client, cluster: cluster.clone(), recorder: recorder.clone() };
            let stop = stop.clone();
            cluster.spawn(Box::pin(async move {
                let mut count = 0;
                while !stop.load(Ordering::Relaxed) {
                    count += 1;
                    visitor.visit(count).await;
                }
            }));
        }
        let winder = cluster.client("client-winder").await;
        for clock in ["c0", "c1", "c2"] {
            winder.actor::<Clock>(clock).start().await.expect("all is well yet");
        }
        disturb(&cluster).await;
        recorder.world(WorldEvent::Healed);
        cluster.sleep(DEADLINE).await;
        stop.store(true, Ordering::Relaxed);
        cluster.sleep(Duration::from_secs(180)).await;
        let client = cluster.client("client-last").await;
        let last = Visitor { number: 6, client, cluster: cluster.clone(), recorder: recorder.clone() };
        for account in 0..ACCOUNTS {
            last.perform(account, &format!("a{account}"), Op::Read, None).await;
        }
        let story = Story::new(cluster.clone());
        epilogue::serve(&story).await;
        // With a bug switched on it may fail: then others say why.
        let _ = winder.actor::<Clock>("c0").stop().await;
        cluster.sleep(Duration::from_secs(40)).await;
        recorder.world(WorldEvent::Quiet);
        cluster.sample();
        epilogue::scan(&story).await;
        waited_in_vain = story.violations();
    });
    (checkers::check_all(&recorder.take_history(), &checkers::always_on()), waited_in_vain)
}

/// A deliberate bug is switched on for the whole process: these tests take turns.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

#[test]
fn no_promise_is_broken_and_every_checker_has_seen_something() {
    let _turn = ONE_AT_A_TIME.lock();
    let mut examined = BTreeMap::new();
    for seed in 0..12 {
        let (report, waited_in_vain) = run(seed);
        assert!(report.is_clean(), "seed {seed}\n{report}");
        assert_eq!(waited_in_vain, [], "seed {seed}");
        for (name, verdict) in &report.verdicts {
            *examined.entry(*name).or_insert(0) += verdict.examined;
        }
    }
    // Nobody counts anything here: `outbox-crash-points` does.
    examined.remove("conservation");
    let vacuous: Vec<_> = examined.iter().filter(|(_, examined)| **examined == 0).collect();
    assert!(vacuous.is_empty(), "these saw nothing: {vacuous:?} of {examined:?}");
}

/// The number of seeds is about four times what it took when this was written.
#[cfg(feature = "mutants")]
#[test]
fn each_deliberate_bug_is_seen_by_its_checker() {
    let _turn = ONE_AT_A_TIME.lock();
    let expected = [
        ("m01", "one-runner", 4),
        ("m02", "one-runner", 200),
        ("m03", "fencing", 20),
        ("m04", "one-runner", 20),
        ("m07", "exactly-once", 20),
        ("m20", "linearizable", 8),
        ("m22", "one-writer", 8),
        ("m22", "versions", 8),
        ("m23", "deadlines", 4),
        ("m31", "exactly-once", 40),
        ("m33", "exactly-once", 40),
    ];
    for (mutant, checker, seeds) in expected {
        quark_core::mutant::activate(mutant);
        // A bug may also trip an assertion of the silo before any checker reads a history: that seed shows nothing.
        let sees = |seed| {
            std::panic::catch_unwind(|| run(seed)).is_ok_and(|(r, _)| r.violations().any(|v| v.0 == checker))
        };
        let seen = (0..seeds).any(sees);
        quark_core::mutant::activate("");
        assert!(seen, "{checker} did not see {mutant} in {seeds} seeds");
    }
}
