//! The stories that need nothing of a simulation, told to real processes: `kill -9`, SIGSTOP, and cut links.

mod stage;

use quark_scenarios::stories;
use quark_testkit::story::Tale;
use stage::RealStage;
use std::sync::Arc;

fn tell(name: &str) {
    let scenario = stories::all().into_iter().find(|s| s.name == name).expect("there is such a story");
    let anywhere = scenario.anywhere.expect("it can be told anywhere");
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let tale = runtime.block_on(async {
        let stage = Arc::new(RealStage::new(folder.path().to_owned()));
        let tale = Tale::new(stage, 1, None);
        anywhere(tale.clone()).await;
        tale
    });
    for step in tale.steps() {
        println!("{:?} {} {}", step.at, step.part, step.text);
    }
    assert!(tale.violations().is_empty(), "{name}: {:#?}", tale.violations());
}

#[test]
fn crash_no_leave() {
    tell("crash-no-leave");
}
