//! The stories that need nothing of a simulation, told to real processes: `kill -9`, SIGSTOP, and cut links.

#[path = "../../redis/tests/server/mod.rs"]
mod server;
mod stage;

use quark_env::Clock;
use quark_scenarios::stories;
use quark_testkit::checkers::{Checker, Ledger, Linearizable, check_all};
use quark_testkit::recorder::Recorder;
use quark_testkit::story::Tale;
use quark_tokio::TokioClock;
use server::Server;
use stage::RealStage;
use std::sync::Arc;
use tokio::runtime::Handle;

/// Tells the story with this seed, its store in a file; returns how often a cut held something back.
fn tell(name: &str, seed: u64) -> u64 {
    tell_on(name, seed, "sqlite".into())
}

/// The same with a store anywhere.
fn tell_on(name: &str, seed: u64, store: String) -> u64 {
    let scenario = stories::all().into_iter().find(|s| s.name == name).expect("there is such a story");
    let anywhere = scenario.anywhere.expect("it can be told anywhere");
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (tale, history, held) = runtime.block_on(async {
        let stage = Arc::new(RealStage::new(folder.path().to_owned(), store));
        let clock = TokioClock::new(Handle::current());
        let recorder = Recorder::new(Arc::new(move || clock.now()));
        let tale = Tale::new(stage.clone(), seed, Some(recorder.clone()));
        anywhere(tale.clone()).await;
        (tale, recorder.take_history(), stage.held())
    });
    for step in tale.steps() {
        println!("{:?} {} {}", step.at, step.part, step.text);
    }
    assert!(tale.violations().is_empty(), "{name}: {:#?}", tale.violations());
    // What clients saw can be judged without a look inside the silos.
    let checkers: [Box<dyn Checker>; 2] = [Box::new(Ledger), Box::new(Linearizable::default())];
    let report = check_all(&history, &checkers);
    assert!(report.is_clean() && report.vacuous(100).is_empty(), "{name}: {report}");
    held
}

#[test]
fn crash_no_leave() {
    tell("crash-no-leave", 1);
}

#[test]
fn zombie_silo() {
    tell("zombie-silo", 1);
}

#[test]
fn crash_no_leave_on_redis() {
    let server = Server::start(&[]);
    tell_on("crash-no-leave", 1, server.url());
    stored_in(&server);
}

#[test]
fn zombie_silo_on_redis() {
    let server = Server::start(&[]);
    tell_on("zombie-silo", 1, server.url());
    stored_in(&server);
}

/// A story that was told on another store proves nothing about this one.
fn stored_in(server: &Server) {
    let text = server.text(&["INFO", "keyspace"]);
    assert!(text.contains("db0:keys="), "nothing is in this Redis: {text}");
}

#[test]
fn clean_partition() {
    let held = tell("clean-partition", 1);
    assert!(held > 0, "nothing was said over the cut, so it was none");
}

#[test]
fn bridge_node() {
    let held = tell("bridge-node", 1);
    assert!(held > 0, "nothing was said over the cut, so it was none");
}

#[test]
fn drain_in_order() {
    tell("drain-in-order", 1);
}
