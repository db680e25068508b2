//! Starts the binary, talks to it over HTTP, and leaves nothing running.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long anything may take. Generous: the machine may be busy, and a wait ends as soon as it can.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The binary under test, with nothing of this process's environment that would change its settings.
pub fn quark(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quark"));
    let ours = std::env::vars().map(|(name, _)| name).filter(|name| name.starts_with("QUARK_"));
    for name in ours {
        command.env_remove(name);
    }
    command.args(arguments).stdin(Stdio::null());
    command
}

/// A command that ends by itself: its code and what it said.
pub fn ends(arguments: &[&str]) -> (Option<i32>, String) {
    ends_with(arguments, &[])
}

/// The same with variables in its environment.
pub fn ends_with(arguments: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut command = quark(arguments);
    command.envs(variables.iter().copied());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let status = wait(&mut child).unwrap_or_else(|| {
        let _ = child.kill();
        panic!("`quark {}` did not end", arguments.join(" "))
    });
    let mut text = String::new();
    child.stdout.take().expect("piped").read_to_string(&mut text).expect("text");
    child.stderr.take().expect("piped").read_to_string(&mut text).expect("text");
    (status.code(), text)
}

/// A running `quark up --json`. Dropping it kills it, and its silos with it.
pub struct Up {
    child: Child,
    lines: Receiver<Value>,
    seen: Vec<Value>,
    port: u16,
    folder: Option<TempDir>,
}

/// An answer by HTTP.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl Up {
    /// Starts a cluster in a folder of its own.
    pub fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut up = Self::start_in(folder.path(), arguments);
        up.folder = Some(folder);
        up
    }

    /// Starts a cluster in a folder; returns once it serves HTTP.
    pub fn start_in(folder: &Path, arguments: &[&str]) -> Self {
        Self::start_with(folder, arguments, &[])
    }

    /// Starts a cluster in a folder with variables in its environment; returns once it serves HTTP.
    pub fn start_with(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let data = folder.to_str().expect("a path that is text");
        let mut child = quark(&["up", "--json", "--http-port", "0", "--data", data])
            .args(arguments)
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let out = BufReader::new(child.stdout.take().expect("piped"));
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                let value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("no JSON line: {line}"));
                if sender.send(value).is_err() {
                    return;
                }
            }
        });
        let mut up = Self { child, lines, seen: Vec::new(), port: 0, folder: None };
        let line = up.event("serving HTTP on http://127.0.0.1:");
        up.port = line.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
        up
    }

    /// Starts a cluster and waits until all its silos serve.
    pub fn serving(arguments: &[&str]) -> Self {
        let mut up = Self::start(arguments);
        up.wait_healthy();
        up
    }

    /// Waits until every silo serves.
    pub fn wait_healthy(&mut self) {
        self.eventually("every silo serves", |up| {
            up.get("/health").is_some_and(|answer| answer.status == 200 && answer.json()["status"] == "ok")
        });
    }

    /// Waits for an event whose text contains `part`, from the start on; returns the text.
    pub fn event(&mut self, part: &str) -> String {
        let end = Instant::now() + PATIENCE;
        let mut at = 0;
        loop {
            while let Some(line) = self.seen.get(at) {
                if let Some(text) = line["event"].as_str().filter(|text| text.contains(part)) {
                    return text.into();
                }
                at += 1;
            }
            match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => self.seen.push(line),
                Err(error) => panic!("no event `{part}` ({error}); the last lines: {:#?}", self.tail()),
            }
        }
    }

    fn tail(&self) -> &[Value] {
        &self.seen[self.seen.len().saturating_sub(5)..]
    }

    /// Asks again and again until it holds.
    pub fn eventually(&mut self, what: &str, mut holds: impl FnMut(&mut Self) -> bool) {
        let end = Instant::now() + PATIENCE;
        let mut pause = Duration::from_millis(5);
        while !holds(self) {
            assert!(Instant::now() < end, "not in time: {what}; cluster: {:?}", self.get("/cluster"));
            // Not for a time, but for the next line of output, or not for long.
            if let Ok(line) = self.lines.recv_timeout(pause) {
                self.seen.push(line);
            }
            pause = (pause * 2).min(Duration::from_millis(100));
        }
    }

    /// `GET` a path; `None` if nobody answers.
    pub fn get(&self, path: &str) -> Option<Answer> {
        self.request("GET", path, b"")
    }

    /// Calls an actor.
    pub fn call(&self, path: &str, body: &str) -> Answer {
        self.request("POST", &format!("/actors/{path}"), body.as_bytes()).expect("an answer")
    }

    /// One request on a connection of its own.
    pub fn request(&self, verb: &str, path: &str, body: &[u8]) -> Option<Answer> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        let head = format!(
            "{verb} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).ok()?;
        // A server that refuses a body may close before it has read it: its answer is there all the same.
        let _ = stream.write_all(body);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let text = String::from_utf8(answer).expect("text");
        let (headers, body) = text.split_once("\r\n\r\n")?;
        let status = headers.split(' ').nth(1)?.parse().ok()?;
        let body = if headers.to_lowercase().contains("transfer-encoding: chunked") {
            body.lines().nth(1).unwrap_or_default()
        } else {
            body
        };
        Some(Answer { status, body: body.into() })
    }

    /// What is known of a silo.
    pub fn silo(&self, name: &str) -> Value {
        let cluster = self.get("/cluster").expect("an answer").json();
        let silos = cluster["silos"].as_array().expect("silos").clone();
        silos.into_iter().find(|silo| silo["name"] == name).expect("the silo is listed")
    }

    /// The process ids of all silos that run.
    pub fn silo_pids(&self) -> Vec<u64> {
        let cluster = self.get("/cluster").expect("an answer").json();
        let silos = cluster["silos"].as_array().expect("silos").clone();
        silos.iter().filter_map(|silo| silo["pid"].as_u64()).collect()
    }

    pub fn pid(&self) -> u64 {
        self.child.id().into()
    }

    pub fn folder(&self) -> &Path {
        self.folder.as_ref().expect("a folder of its own").path()
    }

    /// Sends Ctrl-C; returns the exit code and the last event.
    pub fn interrupt(mut self) -> (Option<i32>, String) {
        signal("INT", self.pid());
        let status = self.wait();
        let mut last = String::new();
        self.seen.extend(self.lines.iter());
        for line in &self.seen {
            if let Some(event) = line["event"].as_str() {
                last = event.into();
            }
        }
        (status.code(), last)
    }

    /// Waits until it has ended.
    pub fn wait(&mut self) -> ExitStatus {
        wait(&mut self.child).expect("it ends in time")
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal.
pub fn signal(name: &str, pid: u64) {
    let sent = Command::new("kill").args([format!("-{name}"), pid.to_string()]).status().expect("kill runs");
    assert!(sent.success(), "kill -{name} {pid}");
}

/// Whether a process is there and no zombie.
pub fn is_alive(pid: u64) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

/// The processes whose command line contains `text`.
pub fn processes_with(text: &str) -> Vec<u64> {
    let processes = std::fs::read_dir("/proc").expect("/proc is there").flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u64>().ok());
    let mentions = |pid: &u64| {
        std::fs::read(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|line| String::from_utf8_lossy(&line).contains(text))
    };
    pids.filter(mentions).collect()
}

/// Waits until none of the processes is there.
pub fn wait_gone(pids: &[u64]) {
    let end = Instant::now() + PATIENCE;
    for pid in pids {
        assert!(has_ended_by(*pid, end), "process {pid} is still there");
    }
}

fn wait(child: &mut Child) -> Option<ExitStatus> {
    let ended = has_ended_by(child.id().into(), Instant::now() + PATIENCE);
    ended.then(|| child.wait().expect("it can be waited for"))
}

/// Waits for the end of a process that need not be our child; `false` if it lives on at that time.
fn has_ended_by(pid: u64, end: Instant) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a process number");
    let process = match pidfd_open(pid, PidfdFlags::empty()) {
        Err(Errno::SRCH) => return true,
        process => process.expect("Linux 5.3 or newer"),
    };
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).expect("a short time");
        // A process descriptor becomes readable when its process has ended, reaped or not.
        match poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&left)) {
            Err(Errno::INTR) => {}
            ended => return ended.expect("a process descriptor can be waited for") > 0,
        }
    }
}
