//! Real second processes.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

/// The example `writer`, which Cargo builds before it runs tests.
pub fn writer() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.parent().and_then(Path::parent).unwrap().join("examples/writer");
    assert!(path.exists(), "{path:?} is missing: `cargo build -p quark-sqlite --examples` builds it");
    path
}

/// A writing process, killed at the latest when this is dropped.
pub struct Writer {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

#[allow(dead_code, reason = "each test file uses its part")]
impl Writer {
    /// Starts one: see `examples/writer.rs` for its arguments.
    pub fn start(path: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(writer());
        command.arg(path).args(arguments);
        Self::spawn(command)
    }

    pub fn spawn(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// Its next line; `None` once it has ended.
    pub fn line(&mut self) -> Option<String> {
        self.lines.next().map(|line| line.unwrap())
    }

    /// `kill -9`, now.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
    }

    /// Everything that it still had to say, once it has ended.
    pub fn rest(mut self) -> Vec<String> {
        let lines = self.lines.by_ref().map(|line| line.unwrap()).collect();
        self.child.wait().unwrap();
        lines
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
