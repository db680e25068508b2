//! A model and an actor of a user's own, in a plain test: a lock that is meant to have one holder. Kept in memory only it
//! forgets its holder in a crash, and the search finds the two who had it; made durable it does not.

use quark::{CallError, Client, Deserialize, Serialize};
use quark_env::BoxFuture;
use quark_sim::{Config, World};
use quark_testkit::checkers::{Report, check_all};
use quark_testkit::journal::Journal;
use quark_testkit::model::Model;
use quark_testkit::recorder::Recorder;
use quark_testkit::sim::SimCluster;
use quark_testkit::stage::Stage;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

/// What the lock is meant to be.
struct Lock;

#[derive(Clone, PartialEq, Debug)]
struct LockOp {
    name: String,
    client: u64,
    /// Or leaves it.
    takes: bool,
}

impl Model for Lock {
    type Key = String;
    /// Who holds it.
    type State = Option<u64>;
    type Op = LockOp;
    type Answer = bool;

    fn key(&self, op: &LockOp) -> String {
        op.name.clone()
    }

    fn initial(&self, _: &String) -> Option<u64> {
        None
    }

    fn apply(&self, holder: &Option<u64>, op: &LockOp) -> (Option<u64>, bool) {
        match op.takes {
            true if holder.is_none() => (Some(op.client), true),
            false if *holder == Some(op.client) => (None, true),
            _ => (*holder, false),
        }
    }
}

#[derive(Default, Serialize, Deserialize)]
struct Holder(Option<u64>);

impl Holder {
    fn turn(&mut self, client: u64, takes: bool) -> bool {
        let (after, answer) = Lock.apply(&self.0, &LockOp { name: String::new(), client, takes });
        self.0 = after;
        answer
    }
}

/// The planted bug: it says nothing of being durable.
#[derive(Default)]
struct PaperLock(Holder);

#[quark::actor(kind = "paper-lock", placement = random)]
impl PaperLock {
    fn turn(&mut self, client: u64, takes: bool) -> bool {
        self.0.turn(client, takes)
    }
}

#[derive(Default, Serialize, Deserialize)]
struct SteelLock(Holder);

#[quark::actor(kind = "steel-lock", durable, placement = random)]
impl SteelLock {
    fn turn(&mut self, client: u64, takes: bool) -> bool {
        self.0.turn(client, takes)
    }
}

type Answer = BoxFuture<'static, Result<bool, CallError<Infallible>>>;
type Turn = fn(&Client, &LockOp) -> Answer;

const DEADLINE: Duration = Duration::from_secs(4);
const CLIENTS: u64 = 3;

fn paper(client: &Client, op: &LockOp) -> Answer {
    let call = client.actor::<PaperLock>(&op.name).turn(op.client, op.takes).deadline(DEADLINE);
    Box::pin(async move { call.await })
}

fn steel(client: &Client, op: &LockOp) -> Answer {
    let call = client.actor::<SteelLock>(&op.name).turn(op.client, op.takes).deadline(DEADLINE);
    Box::pin(async move { call.await })
}

/// One client that takes locks, holds those that it got for a while, and leaves them.
async fn visit(journal: Journal<Lock>, cluster: SimCluster, client: Client, number: u64, turn: Turn) {
    for count in 0.. {
        let name = format!("l{}", cluster.world().draw(number, count) % 2);
        for takes in [true, false] {
            let op = LockOp { name: name.clone(), client: number, takes };
            let open = journal.invoke(number, op.clone());
            let answer = turn(&client, &op).await;
            let is_held = takes && answer == Ok(true);
            open.outcome(answer, |never| match never {});
            let most_ms = if is_held { 15_000 } else { 500 };
            let pause_ms = cluster.world().draw(number + 100, count) % most_ms;
            cluster.sleep(Duration::from_millis(pause_ms)).await;
        }
    }
}

fn run(seed: u64, turn: Turn) -> Report {
    let mut world = World::new(Config::new(seed));
    let recorder = Recorder::of_world(&world.handle());
    let describe = Arc::new(|silo: quark::SiloBuilder| silo.actor::<PaperLock>().actor::<SteelLock>());
    let cluster = SimCluster::new(world.handle(), "locks", describe, Some(recorder.clone()));
    let journal = recorder.journal("locks", Lock);
    world.block_on(async {
        cluster.start_all(&["a", "b", "c"]).await;
        for number in 1..=CLIENTS {
            let client = cluster.client(&format!("client-{number}")).await;
            cluster.spawn(Box::pin(visit(journal.clone(), cluster.clone(), client, number, turn)));
        }
        for n in 0..4 {
            cluster.sleep(Duration::from_secs(5)).await;
            let name = ["a", "b", "c"][(cluster.world().draw(999, n) % 3) as usize];
            cluster.crash(name);
            cluster.sleep(Duration::from_secs(2)).await;
            cluster.start(name).await.expect("nothing else is wrong");
        }
        cluster.sleep(Duration::from_secs(20)).await;
    });
    check_all(&recorder.take_history(), &recorder.checkers())
}

#[test]
fn a_lock_that_is_kept_in_memory_has_two_holders_after_a_crash() {
    let found = (0..10).map(|seed| run(seed, paper)).find(|report| !report.is_clean());
    let report = found.expect("one of ten seeds crashes the silo of a lock that is held");
    let (checker, violation) = report.violations().next().expect("it is not clean");
    assert_eq!((checker, violation.promise), ("linear", "P3"));
    assert!(violation.message.contains("no order of the operations on"), "{}", violation.message);
}

#[test]
fn a_durable_lock_has_one_holder() {
    for seed in 0..10 {
        let report = run(seed, steel);
        assert!(report.is_clean(), "seed {seed}\n{report}");
        assert!(report.vacuous(20).is_empty(), "seed {seed}\n{report}");
    }
}
