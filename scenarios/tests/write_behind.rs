//! What a kind with `write_behind` promises, and what it gives up: each loss that it allows, and none besides.

use quark::env::Store;
use quark::env::store::{RecordKey, ScanRange};
use quark::{
    ActorContext, Deserialize, Failure, Happened, Reminder, Schedule, Serialize, Silo, SiloBuilder,
    SiloConfig,
};
use quark_core::{ActorId, WallTime};
use quark_sim::{Config, World};
use quark_testkit::checkers::{Checker, Deadlines, WriteBehindLoss};
use quark_testkit::history::{ClientEvent, Op, Outcome};
use quark_testkit::recorder::Recorder;
use quark_testkit::sim::SimCluster;
use quark_testkit::stage::Stage;
use std::future::IntoFuture;
use std::sync::Arc;
use std::time::Duration;

const INTERVAL: Duration = Duration::from_millis(500);

/// Counts, and tells at once.
#[derive(Default, Serialize, Deserialize)]
struct Hits {
    count: u64,
    padding: Vec<u8>,
}

#[quark::actor(kind = "hits", write_behind = "500ms")]
impl Hits {
    fn hit(&mut self) -> u64 {
        self.count += 1;
        self.count
    }

    async fn hit_slowly(&mut self, ctx: &ActorContext, ms: u64) -> u64 {
        ctx.sleep(Duration::from_millis(ms)).await;
        self.hit()
    }

    fn hit_and_remind(&mut self, ctx: &ActorContext) -> Result<u64, String> {
        let far = Schedule::once(WallTime(i64::MAX / 2)).map_err(|e| e.to_string())?;
        let hit = ctx.myself::<Self>().hit();
        ctx.reminders().and_then(|all| all.set(Reminder::new("far", far), hit)).map_err(|e| e.to_string())?;
        Ok(self.hit())
    }

    fn hit_and_panic(&mut self) {
        self.count += 1;
        panic!("told to");
    }

    fn hit_and_show(&mut self, bytes: usize) -> String {
        self.count += 1;
        "x".repeat(bytes)
    }

    fn pad(&mut self, bytes: usize) {
        self.padding = vec![0; bytes];
    }

    fn count(&self) -> u64 {
        self.count
    }
}

fn kinds(builder: SiloBuilder) -> SiloBuilder {
    builder.actor::<Hits>()
}

fn in_world<F: Future<Output = ()>>(
    seed: u64,
    names: &'static [&'static str],
    describe: fn(SiloBuilder) -> SiloBuilder,
    story: impl FnOnce(SimCluster) -> F,
) {
    let mut world = World::new(Config::calm(seed));
    let recorder = Recorder::of_world(&world.handle());
    let cluster = SimCluster::new(world.handle(), "behind", Arc::new(describe), Some(recorder));
    world.block_on(async {
        cluster.start_all(names).await;
        while !cluster.has_converged() {
            cluster.sleep(Duration::from_millis(50)).await;
        }
        story(cluster).await;
    });
}

fn first(cluster: &SimCluster) -> Silo {
    cluster.silos().remove(0).1
}

/// The silo that hosts the one actor that there is.
fn host(cluster: &SimCluster) -> String {
    let mut hosts = cluster.silos().into_iter().filter(|(_, silo)| silo.status().activations > 0);
    hosts.next().expect("somebody hosts it").0
}

/// What the store has of `hits/h`.
async fn stored(cluster: &SimCluster, reader: &str) -> u64 {
    let world = cluster.world();
    let partition = world.partitions().into_iter().find(|p| p.0.ends_with("/h")).expect("it was claimed");
    let key = RecordKey { partition, row: "state".into() };
    let record = world.host(cluster.node(reader)).read(&key).await.expect("the store is well");
    record.map_or(0, |record| quark::stored::load_state::<Hits>(&record.value).expect("a state").count)
}

/// Asks for one thing, and has it written down.
async fn noted(
    cluster: &SimCluster,
    op_id: u64,
    op: Op,
    call: impl IntoFuture<Output = Result<u64, quark::CallError>>,
) -> u64 {
    let recorder = cluster.recorder().expect("there is one");
    let actor = ActorId::new("hits", "h").expect("valid");
    recorder.client(ClientEvent::Invoked { client: 1, op_id, actor, op });
    let count = call.await.expect("serves");
    recorder.client(ClientEvent::Returned { op_id, outcome: Outcome::Ok(count) });
    count
}

#[test]
fn a_reply_does_not_wait_and_many_turns_are_one_commit() {
    in_world(7, &["a"], kinds, |cluster| async move {
        let silo = first(&cluster);
        let hits = silo.client().actor::<Hits>("h");
        for number in 1..=100 {
            assert_eq!(hits.hit().await, Ok(number));
        }
        assert_eq!((silo.status().commits, stored(&cluster, "a").await), (0, 0));
        cluster.sleep(INTERVAL).await;
        assert_eq!((silo.status().commits, stored(&cluster, "a").await), (1, 100));
        cluster.sleep(Duration::from_secs(60)).await;
        assert_eq!(silo.status().commits, 1, "what is saved is not saved again");
    });
}

#[test]
fn a_silo_says_how_many_activations_owe_a_commit() {
    in_world(7, &["a"], kinds, |cluster| async move {
        let silo = first(&cluster);
        let hits = |key: &str| silo.client().actor::<Hits>(key);
        assert_eq!(silo.status().unsaved, 0);
        for key in ["h", "i", "h", "j"] {
            hits(key).hit().await.expect("serves");
        }
        assert_eq!(silo.status().unsaved, 3);
        hits("i").hit().idempotency_key(7).await.expect("it commits");
        assert_eq!(silo.status().unsaved, 2);
        hits("j").hit_and_panic().await.expect_err("panics");
        assert_eq!(silo.status().unsaved, 1, "what is lost is not owed any more");
        cluster.world().begin_store_outage();
        cluster.sleep(INTERVAL * 10).await;
        assert_eq!(silo.status().unsaved, 1, "the store is dark");
        cluster.world().end_store_outage();
        cluster.sleep(Duration::from_secs(6)).await;
        assert_eq!((silo.status().unsaved, stored(&cluster, "a").await), (0, 2));
    });
}

#[test]
fn a_crash_loses_at_most_the_interval_and_sometimes_something() {
    let mut lost_most = 0;
    // In a store that is well, and in one that hides the outcome of three commits in ten, applied or not.
    for (seed, hidden_ppm) in (0..40).map(|seed| (seed, 300_000 * (seed as u32 % 2))) {
        let lost = &mut lost_most;
        in_world(seed, &["a"], kinds, |cluster| async move {
            let hits = cluster.client("outside").await.actor::<Hits>("h");
            cluster.world().set_store_indeterminate(hidden_ppm, 500_000);
            let crash_at = cluster.now() + Duration::from_millis(300 + 97 * seed);
            let (mut number, mut last) = (0, 0);
            while cluster.now() < crash_at {
                number += 1;
                last = noted(&cluster, number, Op::Add(1), hits.hit()).await;
                cluster.sleep(Duration::from_millis(3)).await;
            }
            cluster.crash("a");
            cluster.start("a").await.expect("starts again");
            let hits = first(&cluster).client().actor::<Hits>("h");
            let left = noted(&cluster, number + 1, Op::Read, hits.count()).await;
            let checker = WriteBehindLoss { interval: INTERVAL, commit_time_max: Duration::ZERO };
            let verdict = checker.check(&cluster.recorder().expect("there is one").history());
            assert_eq!(verdict.violations, [], "seed {seed}");
            assert_eq!(verdict.examined as u64, number + 1);
            *lost = (*lost).max(last - left);
        });
    }
    assert!(lost_most > 10, "the crashes came inside of the interval: {lost_most}");
}

#[test]
fn an_orderly_stop_loses_nothing() {
    in_world(7, &["a", "b"], kinds, |cluster| async move {
        let client = cluster.client("outside").await;
        for number in 0..20 {
            assert_eq!(client.actor::<Hits>(&number.to_string()).hit().await, Ok(1));
        }
        cluster.stop("a").await;
        for number in 0..20 {
            assert_eq!(client.actor::<Hits>(&number.to_string()).hit().await, Ok(2), "{number}");
        }
        cluster.stop("b").await;
        cluster.start("c").await.expect("starts");
        let client = first(&cluster).client();
        for number in 0..20 {
            assert_eq!(client.actor::<Hits>(&number.to_string()).count().await, Ok(2), "{number}");
        }
    });
}

#[test]
fn a_drain_waits_for_a_store_that_comes_back() {
    in_world(7, &["a", "b", "c"], kinds, |cluster| async move {
        assert_eq!(first(&cluster).client().actor::<Hits>("h").hit().await, Ok(1));
        let name = host(&cluster);
        cluster.world().begin_store_outage();
        let mends = async {
            cluster.sleep(Duration::from_secs(4)).await;
            cluster.world().end_store_outage();
        };
        futures_util::future::join(cluster.stop(&name), mends).await;
        assert_eq!(first(&cluster).client().actor::<Hits>("h").count().await, Ok(1));
    });
}

#[test]
fn idle_collection_loses_nothing_also_when_it_comes_before_the_interval_is_over() {
    fn brief(builder: SiloBuilder) -> SiloBuilder {
        let idle_after = Duration::from_millis(200);
        kinds(builder).config(SiloConfig { idle_after, ..SiloConfig::default() })
    }
    in_world(7, &["a"], brief, |cluster| async move {
        let silo = first(&cluster);
        let hits = silo.client().actor::<Hits>("h");
        for number in 1..=10 {
            assert_eq!(hits.hit().await, Ok(number), "it has forgotten nothing");
            while silo.status().activations > 0 {
                cluster.sleep(Duration::from_millis(10)).await;
            }
        }
    });
}

#[test]
fn an_idle_actor_stays_until_the_store_has_taken_what_it_is_owed() {
    fn brief(builder: SiloBuilder) -> SiloBuilder {
        let idle_after = Duration::from_secs(1);
        kinds(builder).config(SiloConfig { idle_after, ..SiloConfig::default() })
    }
    in_world(7, &["a", "b", "c"], brief, |cluster| async move {
        cluster.sleep(Duration::from_secs(2)).await;
        let hits = cluster.client("outside").await.actor::<Hits>("h");
        assert_eq!(hits.hit().await, Ok(1));
        let name = host(&cluster);
        cluster.world().begin_store_outage();
        cluster.sleep(Duration::from_secs(20)).await;
        assert_eq!(host(&cluster), name, "it is idle, and still there");
        assert_eq!(hits.hit().await, Ok(2), "and serves");
        cluster.world().end_store_outage();
        cluster.sleep(Duration::from_secs(10)).await;
        assert!(cluster.silos().iter().all(|(_, silo)| silo.status().activations == 0), "collected");
        assert_eq!((stored(&cluster, &name).await, hits.count().await), (2, Ok(2)));
    });
}

#[test]
fn an_outage_loses_nothing_from_memory_and_is_not_stormed() {
    in_world(7, &["a", "b", "c"], kinds, |cluster| async move {
        let hits = cluster.client("outside").await.actor::<Hits>("h");
        assert_eq!(hits.hit().await, Ok(1));
        let name = host(&cluster);
        cluster.sleep(Duration::from_secs(1)).await;
        cluster.world().begin_store_outage();
        for number in 2..=120 {
            assert_eq!(hits.hit().await, Ok(number), "the actor serves on");
            cluster.sleep(Duration::from_millis(500)).await;
        }
        let silo = cluster.silo(&name).expect("it has not stopped");
        assert_eq!((host(&cluster), silo.status().commits), (name.clone(), 1), "a minute in the dark");
        cluster.world().end_store_outage();
        cluster.sleep(Duration::from_secs(6)).await;
        assert_eq!(stored(&cluster, &name).await, 120, "the longest pause is five seconds");
        assert_eq!(silo.status().commits, 3, "what was in doubt when it went dark, and all the rest in one");
    });
}

#[test]
fn a_commit_in_doubt_is_settled_before_the_next_one() {
    for applied_ppm in [0, 500_000, 1_000_000] {
        in_world(7, &["a", "b", "c"], kinds, |cluster| async move {
            let hits = cluster.client("outside").await.actor::<Hits>("h");
            assert_eq!(hits.hit().await, Ok(1));
            let name = host(&cluster);
            cluster.world().set_store_indeterminate(1_000_000, applied_ppm);
            for number in 2..=5 {
                cluster.sleep(Duration::from_millis(400)).await;
                assert_eq!(hits.hit().await, Ok(number));
            }
            cluster.world().set_store_indeterminate(0, 0);
            cluster.sleep(Duration::from_secs(6)).await;
            assert_eq!((host(&cluster), stored(&cluster, &name).await), (name, 5), "the same activation");
        });
    }
}

#[test]
fn a_stale_copy_is_fenced_and_overwrites_nothing() {
    in_world(7, &["a", "b", "c"], kinds, |cluster| async move {
        let hits = cluster.client("outside").await.actor::<Hits>("h");
        assert_eq!(hits.hit().await, Ok(1));
        cluster.sleep(INTERVAL).await;
        assert_eq!(hits.hit().await, Ok(2));
        let old = host(&cluster);
        cluster.pause(&old);
        cluster.sleep(Duration::from_secs(15)).await;
        let count = hits.hit().await.expect("another silo serves");
        assert_eq!(count, 2, "what was not saved is lost with the silo, and no more");
        cluster.sleep(INTERVAL).await;
        let new =
            cluster.silos().into_iter().find(|(name, silo)| *name != old && silo.status().activations > 0);
        let new = new.expect("it lives elsewhere").0;
        assert_eq!(stored(&cluster, &new).await, 2);
        for _ in 0..3 {
            hits.hit().await.expect("serves");
        }
        cluster.resume(&old);
        cluster.sleep(Duration::from_secs(10)).await;
        assert_eq!((stored(&cluster, &new).await, hits.count().await), (5, Ok(5)));
    });
}

#[test]
fn a_call_with_a_key_is_committed_before_its_reply_and_happens_once() {
    in_world(7, &["a"], kinds, |cluster| async move {
        let hits = cluster.client("outside").await.actor::<Hits>("h");
        assert_eq!(hits.hit().await, Ok(1));
        assert_eq!(hits.hit().idempotency_key(9).await, Ok(2));
        assert_eq!(stored(&cluster, "a").await, 2);
        cluster.crash("a");
        cluster.start("a").await.expect("starts again");
        let hits = first(&cluster).client().actor::<Hits>("h");
        assert_eq!(hits.hit().idempotency_key(9).await, Ok(2), "its first outcome");
        assert_eq!(hits.count().await, Ok(2), "with all that was acknowledged before it");
    });
}

#[test]
fn a_call_with_a_key_fails_alone_while_the_store_is_dark() {
    in_world(7, &["a", "b", "c"], kinds, |cluster| async move {
        let hits = cluster.client("outside").await.actor::<Hits>("h");
        assert_eq!(hits.hit().await, Ok(1));
        let name = host(&cluster);
        // A lease that has been renewed once is proven by the others while the store is dark.
        cluster.sleep(Duration::from_secs(2)).await;
        assert_eq!(hits.hit().await, Ok(2));
        cluster.world().begin_store_outage();
        let keyed = hits.hit().idempotency_key(9).deadline(Duration::from_secs(2)).await;
        let failure = keyed.expect_err("it cannot be committed").failure().cloned().expect("of the runtime");
        assert!(matches!(failure, Failure::StoreUnavailable { .. }), "{failure}");
        assert_eq!(hits.count().await, Ok(2), "nothing acknowledged is gone, and it did not happen");
        let reminded = hits.hit_and_remind().await.expect_err("its reminder cannot be committed");
        let failure = reminded.failure().cloned().expect("of the runtime");
        assert_eq!((failure.happened(), hits.count().await), (Happened::Unknown, Ok(3)), "{failure}");
        cluster.world().end_store_outage();
        cluster.sleep(Duration::from_secs(6)).await;
        assert_eq!(stored(&cluster, &name).await, 3);
    });
}

#[test]
fn a_turn_that_waited_for_a_save_does_not_begin_past_its_deadline() {
    let (mut too_late, mut in_time) = (0, 0);
    for seed in 0..40 {
        let outcome = (&mut too_late, &mut in_time);
        in_world(seed, &["a", "b", "c"], kinds, async |cluster| {
            let hits = cluster.client("outside").await.actor::<Hits>("h");
            assert_eq!(hits.hit().await, Ok(1));
            // What is owed has to be saved before a turn with a key. That takes 50 ms, and its caller waits about as long.
            cluster.world().set_store_slow(0, 100_000);
            let keyed = hits.hit().idempotency_key(9).deadline(Duration::from_millis(20 + 2 * seed)).await;
            cluster.world().set_store_slow(0, 1_000);
            cluster.sleep(Duration::from_secs(3)).await;
            let verdict = Deadlines.check(&cluster.recorder().expect("there is one").history());
            assert_eq!(verdict.violations, [], "seed {seed}");
            match hits.count().await.expect("serves") {
                1 => *outcome.0 += 1,
                _ => *outcome.1 += 1,
            }
            assert!(keyed != Ok(1), "seed {seed}: one hit had been counted");
        });
    }
    assert!(too_late > 5 && in_time > 5, "{too_late} turns were dropped, {in_time} ran");
}

#[test]
fn a_reminder_is_committed_with_the_turn_that_sets_it() {
    in_world(7, &["a"], kinds, |cluster| async move {
        let silo = first(&cluster);
        let hits = silo.client().actor::<Hits>("h");
        assert_eq!(hits.hit().await, Ok(1));
        assert_eq!(hits.hit_and_remind().await, Ok(2));
        assert_eq!((silo.status().commits, stored(&cluster, "a").await), (1, 2));
        let partition =
            cluster.world().partitions().into_iter().find(|p| p.0.ends_with("/h")).expect("claimed");
        let range = ScanRange::prefix(&*partition.0, "r/");
        let rows = cluster.world().host(cluster.node("a")).scan(range, 10).await.expect("reads");
        assert_eq!(rows.len(), 1);
    });
}

#[test]
fn a_panic_loses_at_most_the_interval() {
    in_world(7, &["a"], kinds, |cluster| async move {
        let hits = first(&cluster).client().actor::<Hits>("h");
        assert_eq!(hits.hit().await, Ok(1));
        cluster.sleep(INTERVAL).await;
        assert_eq!(hits.hit().await, Ok(2));
        hits.hit_and_panic().await.expect_err("panics");
        assert_eq!(hits.count().await, Ok(1));
    });
}

#[test]
fn a_result_that_cannot_be_told_loses_nothing_that_was_acknowledged() {
    in_world(7, &["a"], kinds, |cluster| async move {
        let hits = first(&cluster).client().actor::<Hits>("h");
        assert_eq!(hits.hit().await, Ok(1));
        let failure = hits.hit_and_show(5 << 20).await.expect_err("too large").failure().cloned();
        assert_eq!(failure.expect("of the runtime").happened(), Happened::Unknown);
        cluster.sleep(INTERVAL).await;
        assert_eq!((hits.count().await, stored(&cluster, "a").await), (Ok(2), 2));
    });
}

#[test]
fn a_busy_actor_is_saved_between_its_turns() {
    in_world(7, &["a"], kinds, |cluster| async move {
        let silo = first(&cluster);
        let hits = silo.client().actor::<Hits>("h");
        let calls: Vec<_> = (0..100).map(|_| hits.hit_slowly(100).into_future()).collect();
        let watch = async {
            cluster.sleep(Duration::from_millis(5_050)).await;
            let saved = stored(&cluster, "a").await;
            let commits = silo.status().commits;
            assert!((45..=50).contains(&saved) && commits <= 20, "{saved} of 50 in {commits} commits");
        };
        let (answers, ()) = futures_util::future::join(futures_util::future::join_all(calls), watch).await;
        assert!(answers.iter().all(Result::is_ok));
        cluster.sleep(INTERVAL).await;
        assert_eq!(stored(&cluster, "a").await, 100);
    });
}

#[test]
fn a_state_that_outgrows_the_store_is_saved_once_it_fits_again() {
    in_world(7, &["a"], kinds, |cluster| async move {
        let hits = first(&cluster).client().actor::<Hits>("h");
        assert_eq!(hits.hit().await, Ok(1));
        hits.pad(2 << 20).await.expect("it is acknowledged, alas");
        cluster.sleep(Duration::from_secs(5)).await;
        assert_eq!((hits.hit().await, stored(&cluster, "a").await), (Ok(2), 0));
        hits.pad(0).await.expect("serves");
        cluster.sleep(Duration::from_secs(6)).await;
        assert_eq!(stored(&cluster, "a").await, 2);
    });
}
