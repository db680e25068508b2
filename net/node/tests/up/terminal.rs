//! What `quark up` draws on a terminal of 80 columns.

use crate::harness::{PATIENCE, quark, signal};
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

const COLUMNS: usize = 80;

/// As much of a terminal as a table needs: lines that wrap, going up, and erasing what is below.
#[derive(Default)]
struct Terminal {
    rows: Vec<String>,
    row: usize,
    /// What has come of a control sequence.
    sequence: Option<String>,
}

impl Terminal {
    fn show(&mut self, text: &str) {
        for character in text.chars() {
            self.put(character);
        }
    }

    fn put(&mut self, character: char) {
        if let Some(sequence) = &mut self.sequence {
            match character {
                '[' => {}
                '0'..='9' | ';' => sequence.push(character),
                'A' => {
                    self.row = self.row.checked_sub(sequence.parse().unwrap_or(1)).expect("not above the top")
                }
                'J' => self.rows.truncate(self.row),
                other => panic!("an escape sequence that ends with {other:?}"),
            }
            if character.is_ascii_alphabetic() {
                self.sequence = None;
            }
            return;
        }
        match character {
            '\x1b' => self.sequence = Some(String::new()),
            '\n' => self.row += 1,
            '\r' => {}
            _ => {
                if self.rows.get(self.row).is_some_and(|row| row.chars().count() == COLUMNS) {
                    self.row += 1;
                }
                self.rows.resize(self.rows.len().max(self.row + 1), String::new());
                self.rows[self.row].push(character);
            }
        }
    }

    fn count(&self, part: &str) -> usize {
        self.rows.iter().filter(|row| row.contains(part)).count()
    }
}

/// `quark up` on a terminal that `script` gives it.
struct Session {
    child: Child,
    output: Receiver<Vec<u8>>,
    terminal: Terminal,
    unread: Vec<u8>,
}

impl Session {
    fn start(arguments: &[&str]) -> Self {
        let program = quark(&[]).get_program().to_str().expect("text").to_owned();
        let line = format!("stty cols {COLUMNS} rows 24; exec {program} {}", arguments.join(" "));
        let mut child = Command::new("script")
            .args(["--quiet", "--return", "--flush", "--command", &line, "/dev/null"])
            .env("TERM", "xterm")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("`script`, of util-linux, is there");
        let mut out = child.stdout.take().expect("piped");
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(bytes) = out.read(&mut buffer)
                && bytes > 0
                && sender.send(buffer[..bytes].to_vec()).is_ok()
            {}
        });
        Self { child, output, terminal: Terminal::default(), unread: Vec::new() }
    }

    /// Reads on until it holds of what is shown.
    fn until(&mut self, what: &str, holds: impl Fn(&Terminal) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !holds(&self.terminal) {
            match self.output.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.unread.extend(bytes),
                Err(error) => panic!("{what} ({error}):\n{}", self.terminal.rows.join("\n")),
            }
            // A character may come in two pieces.
            let whole = match std::str::from_utf8(&self.unread) {
                Ok(text) => text.len(),
                Err(error) => error.valid_up_to(),
            };
            let rest = self.unread.split_off(whole);
            self.terminal.show(std::str::from_utf8(&self.unread).expect("checked"));
            self.unread = rest;
        }
    }
}

#[test]
fn the_table_is_drawn_over_the_last_one_however_long_the_names_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().to_str().expect("text");
    let name = "c".repeat(64);
    let mut session = Session::start(&[
        "up",
        "--silos",
        "2",
        "--rate",
        "50",
        "--http-port",
        "0",
        "--cluster",
        &name,
        "--data",
        data,
    ]);
    session.until("the load runs", |t| t.count("active") >= 2 && t.count("load      50 calls/s") == 1);
    let pid = std::fs::read_to_string(folder.path().join("up.lock")).expect("it holds the folder");
    signal("INT", pid.trim().parse().expect("a process id"));
    session.until("it says how it ended", |t| t.count("stopped in order") == 1 && t.count(" left ") == 2);
    let status = session.child.wait().expect("it ends");
    assert!(status.success(), "{status}");
    // Many tables were drawn, and one stands.
    let shown = session.terminal.rows.join("\n");
    for part in ["Ctrl-C stops", "generation  status", "load  ", &format!("cluster {name}")] {
        assert_eq!(session.terminal.count(part), 1, "`{part}` once:\n{shown}");
    }
    let blank = session.terminal.rows.iter().filter(|row| row.trim().is_empty()).count();
    assert_eq!(blank, 1, "the one above the table:\n{shown}");
}
