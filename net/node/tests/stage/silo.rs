//! The silo process of the stage: this very executable, started again with the story's name in its environment. It is
//! `quark silo` with the story's actors, a wall clock that can be set wrong, and a tongue.
//!
//! Nothing of this is in the binary `quark`: a production silo has no way to take another clock.

use super::told::Told;
use quark::{Event, Observer};
use quark_core::{Instant, SiloId, WallTime, probe};
use quark_env::{Clock, Sleep};
use quark_node::Cast;
use quark_scenarios::stories;
use quark_tokio::TokioClock;
use serde_json::json;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;

/// The name of the test that is a silo process; see [`run`].
const ENTRY: &str = "a_silo_of_the_stage_is_nowhere_in_the_binary";
const STORY: &str = "QUARK_STAGE_STORY";
const FLAGS: &str = "QUARK_STAGE_FLAGS";
const CLOCK: &str = "QUARK_STAGE_CLOCK";
/// What makes a process a silo of the stage.
pub const VARIABLES: [&str; 3] = [STORY, FLAGS, CLOCK];

/// A command that starts one, with these flags of `quark silo`. The file at `clock` says by how many nanoseconds its wall
/// clock is ahead.
pub fn command(story: &str, flags: &[&str], clock: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this is a process"));
    command.args(["--exact", ENTRY, "--nocapture"]);
    command.env(STORY, story).env(FLAGS, json!(flags).to_string()).env(CLOCK, clock);
    command
}

/// Runs one, if the stage has started this process; then it does not return.
pub fn run() {
    let Ok(story) = std::env::var(STORY) else { return };
    let flags = std::env::var(FLAGS).expect("the stage gives them");
    let flags: Vec<String> = serde_json::from_str(&flags).expect("the stage writes JSON");
    let clock = PathBuf::from(std::env::var_os(CLOCK).expect("the stage gives it"));
    let scenario = stories::all().into_iter().find(|s| s.name == story).expect("the stage knows its stories");
    let code = quark_node::silo(flags, |runtime| Cast {
        describe: Box::new(move |silo| (scenario.describe)(silo).observer(Arc::new(Teller))),
        clock: Arc::new(Settable { machine: TokioClock::new(runtime.clone()), ahead: clock }),
    });
    say(&json!({ "report": "reached", "probes": probe::snapshot() }));
    std::process::exit(if code == ExitCode::SUCCESS { 0 } else { 3 });
}

/// The machine's clocks, of which the wall clock is wrong by what a file says at that moment.
struct Settable {
    machine: TokioClock,
    ahead: PathBuf,
}

impl Clock for Settable {
    fn now(&self) -> Instant {
        self.machine.now()
    }

    fn wall(&self) -> WallTime {
        let ahead = std::fs::read_to_string(&self.ahead).expect("the stage has written it");
        let ahead_ns: i64 = ahead.parse().expect("the stage writes a number, in one piece");
        WallTime(self.machine.wall().0 + ahead_ns)
    }

    fn sleep_until(&self, at: Instant) -> Sleep {
        self.machine.sleep_until(at)
    }
}

/// Tells the stage what happens in the silo, as far as a process that dies at any moment can be believed.
struct Teller;

impl Observer for Teller {
    fn event(&self, silo: SiloId, at: Instant, event: Event<'_>) {
        if let Some(told) = Told::of(&event) {
            say(&json!({ "report": "event", "silo": silo, "at": at, "told": told }));
        }
    }
}

fn say(line: &serde_json::Value) {
    let mut out = std::io::stdout().lock();
    // A stage that is gone is no reason to fail: the end of the standard input says so too.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
