//! What a silo process tells whoever started it: one JSON object a line, on its standard output.

use quark_core::SiloId;
use quark_core::view::View;
use serde::{Deserialize, Serialize};
use std::io::Write;

/// One line.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "report", rename_all = "snake_case")]
pub enum Report {
    /// It listens, and does not serve yet.
    Listening {
        /// Where.
        address: String,
    },
    /// It serves.
    Started {
        /// Under which name and generation.
        id: SiloId,
        /// Where other silos and clients reach it.
        address: String,
    },
    /// How it is: once a second, and at every new view.
    Status {
        /// Its counters.
        counters: Counters,
        /// The newest view in effect there.
        view: View,
    },
    /// It could not start, or had to stop itself; the process ends with an error.
    Failed {
        /// Why, with the remedy.
        reason: String,
    },
    /// It left in order.
    Left,
}

/// A silo's numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Counters {
    /// Activations here.
    pub activations: usize,
    /// Those of them whose state is acknowledged and not stored yet.
    #[serde(default)]
    pub unsaved: usize,
    /// Calls issued here that wait for their outcome.
    pub pending: usize,
    /// Turns run since the start.
    pub turns: u64,
    /// Commits since the start.
    pub commits: u64,
    /// Messages dropped with a reason since the start.
    pub dead_letters: u64,
    /// Whether turns may run.
    pub lease_valid: bool,
    /// Whether new activations are taken.
    pub serving: bool,
}

impl Report {
    /// Prints it. A reader that is gone is no reason to fail: the end of standard input says so too.
    pub fn print(&self) {
        let mut line = serde_json::to_vec(self).expect("a report is JSON");
        line.push(b'\n');
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(&line).and_then(|()| out.flush());
    }
}

impl From<quark::SiloStatus> for Counters {
    fn from(status: quark::SiloStatus) -> Self {
        Self {
            activations: status.activations,
            unsaved: status.unsaved,
            pending: status.pending,
            turns: status.turns,
            commits: status.commits,
            dead_letters: status.dead_letters,
            lease_valid: status.lease_valid,
            serving: status.serving,
        }
    }
}
