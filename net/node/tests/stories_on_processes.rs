//! The stories that can be told anywhere, told to real processes and real Redis servers: `kill -9`, SIGSTOP, cut links,
//! lost answers, fail-overs, and wall clocks that are wrong.

#[path = "../../redis/tests/server/mod.rs"]
mod server;
mod stage;
#[path = "stories_on_processes/two_worlds.rs"]
mod two_worlds;

use quark_core::probe;
use quark_env::Clock;
use quark_scenarios::stories;
use quark_testkit::checkers::{Checker, Ledger, Linearizable, OneWriter, check_all};
use quark_testkit::history::History;
use quark_testkit::recorder::Recorder;
use quark_testkit::story::Tale;
use quark_tokio::TokioClock;
use stage::RealStage;
use stage::store::Keeper;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::runtime::{Handle, Runtime};

/// How a story is told.
struct Telling {
    name: &'static str,
    seed: u64,
    /// The silos' configuration file.
    settings: &'static str,
    /// Probes that a silo, or this process, has to reach, or the story has not happened.
    reaches: &'static [&'static str],
    /// What clients saw and silos said has to satisfy these, and each has to have enough to examine. A silo that dies has
    /// not said all: these are checkers that do not mind.
    checkers: fn() -> Vec<Box<dyn Checker>>,
}

/// What a telling leaves behind.
struct Told {
    /// How often a cut held something back.
    held: u64,
    /// What happened until the story was over: nobody was stopped then only because everything ends.
    history: History,
}

impl Telling {
    /// A story with deposits that are written down.
    const fn of(name: &'static str) -> Self {
        Self {
            name,
            seed: 1,
            settings: "",
            reaches: &[],
            checkers: || vec![Box::new(Ledger), Box::new(Linearizable::default()), Box::new(OneWriter)],
        }
    }

    /// One that checks by itself what its clients saw.
    const fn by_itself(name: &'static str) -> Self {
        Self { checkers: || vec![Box::new(OneWriter)], ..Self::of(name) }
    }

    /// One without actors.
    const fn of_the_store(name: &'static str) -> Self {
        Self { checkers: Vec::new, ..Self::of(name) }
    }

    fn on_a_file(self) -> Told {
        let runtime = runtime();
        runtime.block_on(self.tell(Keeper::File))
    }

    fn on_redis(self) -> Told {
        let runtime = runtime();
        runtime.block_on(self.tell(Keeper::redis()))
    }

    fn on_a_replicated_redis(self) -> Told {
        let runtime = runtime();
        runtime.block_on(async { self.tell(Keeper::replicated().await).await })
    }

    async fn tell(self, keeper: Keeper) -> Told {
        let name = self.name;
        let scenario = stories::all().into_iter().find(|s| s.name == name).expect("there is such a story");
        let anywhere = scenario.anywhere.expect("it can be told anywhere");
        let folder = tempfile::tempdir().expect("a folder");
        let clock = TokioClock::new(Handle::current());
        let recorder = Recorder::new(Arc::new(move || clock.now()));
        let stage = RealStage::new(name, folder.path().to_owned(), keeper, recorder.clone());
        let stage = Arc::new(stage.configured(self.settings));
        let tale = Tale::new(stage.clone(), self.seed, Some(recorder.clone()));
        anywhere(tale.clone()).await;
        if let Keeper::Redis(redis) = stage.keeper() {
            assert!(redis.clone().is_used().await, "{name} was told on another store");
        }
        let history = recorder.history();
        let reached = stage.finish().await;
        for step in tale.steps() {
            println!("{:?} {} {}", step.at, step.part, step.text);
        }
        assert!(tale.violations().is_empty(), "{name}: {:#?}", tale.violations());
        self.judge(&recorder, &reached);
        Told { held: stage.held(), history }
    }

    fn judge(&self, recorder: &Recorder, reached: &BTreeMap<String, u64>) {
        let (name, history) = (self.name, recorder.take_history());
        let report = check_all(&history, &(self.checkers)());
        assert!(report.is_clean() && report.vacuous(100).is_empty(), "{name}: {report}");
        println!("{report}");
        let here = probe::snapshot();
        let missed: Vec<_> =
            self.reaches.iter().filter(|p| !reached.contains_key(**p) && !here.contains_key(**p)).collect();
        assert!(missed.is_empty(), "{name} never reached {missed:?}");
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// The stage starts this executable again with this test alone: then it is a silo process, and does not come back.
#[test]
fn a_silo_of_the_stage_is_nowhere_in_the_binary() {
    stage::silo::run();
    let binary = std::fs::read(env!("CARGO_BIN_EXE_quark")).expect("it was built");
    let says = |text: &str| binary.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(says("QUARK_STORE"), "what it reads of its environment can be found in it");
    for variable in stage::silo::VARIABLES {
        assert!(!says(variable), "`quark` must not know {variable}, which sets clocks wrong");
    }
}

#[test]
fn crash_no_leave() {
    Telling::of("crash-no-leave").on_a_file();
}

#[test]
fn zombie_silo() {
    Telling::of("zombie-silo").on_a_file();
}

#[test]
fn crash_no_leave_on_redis() {
    Telling::of("crash-no-leave").on_redis();
}

#[test]
fn zombie_silo_on_redis() {
    Telling::of("zombie-silo").on_redis();
}

#[test]
fn clean_partition() {
    let told = Telling::of("clean-partition").on_a_file();
    assert!(told.held > 0, "nothing was said over the cut, so it was none");
}

#[test]
fn bridge_node() {
    let told = Telling::of("bridge-node").on_a_file();
    assert!(told.held > 0, "nothing was said over the cut, so it was none");
}

#[test]
fn drain_in_order() {
    Telling::of("drain-in-order").on_a_file();
}

#[test]
fn clock_forward() {
    let reaches = &["reminders.fired", "reminder.wall.outvoted"];
    Telling { reaches, ..Telling::by_itself("clock-forward") }.on_redis();
}

#[test]
fn clock_back() {
    let reaches = &["reminders.fired", "reminder.wall.outvoted"];
    Telling { reaches, ..Telling::by_itself("clock-back") }.on_redis();
}

#[test]
fn reminder_owner_change() {
    let reaches = &["reminders.fired", "schedule.missed.collapsed"];
    Telling { reaches, ..Telling::by_itself("reminder-owner-change") }.on_redis();
}

#[test]
fn catch_up_herd() {
    let reaches = &["schedule.missed.collapsed", "schedule.missed.skipped"];
    Telling { reaches, ..Telling::by_itself("catch-up-herd") }.on_redis();
}

#[test]
fn create_race() {
    let reaches = &["create_race.lost", "create_race.stale_refused", "create_race.in_doubt"];
    Telling { reaches, ..Telling::of_the_store("create-race") }.on_redis();
}

/// The lease that the story asks for.
const SHORT_LEASE: &str = "[membership]\nlease = \"2s\"";

#[test]
fn redis_dark_because_it_hangs() {
    let reaches =
        &["membership.lease.vouched", "redis_dark.commit_in_doubt", "redis_dark.placed_in_the_dark"];
    Telling { reaches, settings: SHORT_LEASE, ..Telling::of("redis-dark") }.on_redis();
}

#[test]
fn redis_dark_because_it_is_gone() {
    let reaches = &["membership.lease.vouched", "redis_dark.commit_refused", "redis_dark.placed_in_the_dark"];
    Telling { seed: 3, reaches, settings: SHORT_LEASE, ..Telling::of("redis-dark") }.on_redis();
}

#[test]
fn redis_failover_loses_writes() {
    let reaches = &["losses.reported", "redis_failover.lost_a_deposit"];
    Telling { seed: 3, reaches, ..Telling::by_itself("redis-failover-loses-writes") }.on_a_replicated_redis();
}

#[test]
fn redis_failover_loses_writes_and_a_silo() {
    let reaches = &["losses.reported", "redis_failover.lost_a_deposit"];
    Telling { seed: 2, reaches, ..Telling::by_itself("redis-failover-loses-writes") }.on_a_replicated_redis();
}
