//! What a server says of itself, to be waited for.

use std::io::{BufRead, BufReader};
use std::process::ChildStdout;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// The lines of one run of a server. They are read in the background, or the server would block when its pipe is full.
#[derive(Default)]
pub struct Log {
    state: Mutex<State>,
    grown: Condvar,
}

#[derive(Default)]
struct State {
    lines: Vec<String>,
    ended: bool,
}

impl Log {
    pub fn of(output: ChildStdout) -> Arc<Self> {
        let log = Arc::new(Self::default());
        let writer = log.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                writer.state.lock().unwrap().lines.push(line);
                writer.grown.notify_all();
            }
            writer.state.lock().unwrap().ended = true;
            writer.grown.notify_all();
        });
        log
    }

    /// Waits for a line with this text, of those before as well. False if the server ends without it.
    ///
    /// Panics: if it takes more than a minute.
    pub fn has_said(&self, text: &str) -> bool {
        self.has_said_times(text, 1)
    }

    /// The same for so many lines.
    pub fn has_said_times(&self, text: &str, times: usize) -> bool {
        let says = |state: &State| state.lines.iter().filter(|l| l.contains(text)).count() >= times;
        let state = self.state.lock().unwrap();
        let waits = |state: &mut State| !says(state) && !state.ended;
        let (state, waited) = self.grown.wait_timeout_while(state, PATIENCE, waits).unwrap();
        assert!(!waited.timed_out(), "it took more than a minute to say `{text}`: {:#?}", state.lines);
        says(&state)
    }
}

const PATIENCE: Duration = Duration::from_secs(60);
