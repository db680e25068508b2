//! Real Redis servers, each with a port and a folder of its own.

#![allow(dead_code, reason = "each test file uses its part")]

pub mod log;
pub mod pretender;
pub mod proxy;
pub mod tls;

use log::Log;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use tempfile::TempDir;

/// A server, killed at the latest when this is dropped.
pub struct Server {
    pub folder: TempDir,
    pub port: u16,
    sentinel: bool,
    arguments: Vec<String>,
    child: Option<Child>,
    log: Arc<Log>,
}

impl Server {
    /// Starts one with further arguments (`["--requirepass", "x"]`), and waits until it takes connections.
    pub fn start(arguments: &[&str]) -> Self {
        // Somebody else may take the port between our asking for it and the server's.
        for _ in 0..20 {
            let mut server = Self::prepare(free_port(), arguments);
            if server.launch() {
                return server;
            }
        }
        panic!("redis-server never got a port, with {arguments:?}");
    }

    /// A sentinel that watches the primary at a port, under the name `main`.
    pub fn sentinel(primary: u16, quorum: u16) -> Self {
        Self::sentinel_with(primary, quorum, "")
    }

    /// The same with further lines of configuration.
    pub fn sentinel_with(primary: u16, quorum: u16, further: &str) -> Self {
        for _ in 0..20 {
            let mut server = Self::prepare(free_port(), &[]);
            let config = format!(
                "{further}\nsentinel monitor main 127.0.0.1 {primary} {quorum}\nsentinel down-after-milliseconds main 500\n\
                 sentinel failover-timeout main 3000\nsentinel parallel-syncs main 1\n"
            );
            std::fs::write(server.folder.path().join("sentinel.conf"), config).unwrap();
            server.sentinel = true;
            if server.launch() {
                return server;
            }
        }
        panic!("the sentinel never got a port");
    }

    fn prepare(port: u16, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let arguments = arguments.iter().map(|argument| argument.to_string()).collect();
        Self { folder, port, sentinel: false, arguments, child: None, log: Arc::default() }
    }

    fn launch(&mut self) -> bool {
        let mut command = Command::new("redis-server");
        if self.sentinel {
            command.arg(self.folder.path().join("sentinel.conf")).arg("--sentinel");
        } else {
            command.args(["--save", "", "--appendfsync", "everysec", "--enable-debug-command", "local"]);
            command.args(["--repl-diskless-sync-delay", "0"]);
        }
        command.args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--dir"]);
        command.arg(self.folder.path()).args(&self.arguments);
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let mut child = spawned.unwrap_or_else(|error| {
            panic!("these tests need a Redis server (`redis-server`: {error}): apt-get install redis-server")
        });
        let said = if self.sentinel { "Sentinel ID is" } else { "eady to accept connections" };
        self.log = Log::of(child.stdout.take().unwrap());
        let ready = self.log.has_said(said);
        if ready {
            self.child = Some(child);
        } else {
            let _ = child.kill();
            let _ = child.wait();
        }
        ready
    }

    /// Starts it again after `kill`, at the same port, in the same folder.
    pub fn restart(&mut self) {
        assert!(self.child.is_none(), "it runs");
        // Its old port may need a moment to be free again; each attempt waits for a process to fail.
        assert!((0..200).any(|_| self.launch()), "it does not start again at port {}", self.port);
    }

    /// `kill -9`, now.
    pub fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Waits until it has said something since it was last started.
    pub fn wait_for(&self, text: &str) {
        assert!(self.log.has_said(text), "the server at port {} ended, and never said `{text}`", self.port);
    }

    /// Waits until it has said something so many times.
    pub fn wait_for_times(&self, text: &str, times: usize) {
        assert!(self.log.has_said_times(text, times), "the server at port {} ended", self.port);
    }

    /// Waits until a replica has all that its primary had when it was started.
    pub fn wait_in_step(&self) {
        self.wait_for("MASTER <-> REPLICA sync: Finished with success");
    }

    /// Waits until a replica has said that it has all that was written here until now. A primary feeds a new replica only
    /// once that has been heard of.
    pub fn wait_for_its_replica(&self) {
        let written: u64 = self.info("master_repl_offset").parse().expect("a number");
        let has_all = || {
            let offset =
                self.info("slave0").split_once("offset=")?.1.split(',').next()?.parse::<u64>().ok()?;
            (offset >= written).then_some(())
        };
        assert!((0..200_000).any(|_| has_all().is_some()), "no replica has said that it has {written} bytes");
    }

    /// Stops it in its tracks; its sockets stay open.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let id = self.child.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Asks the server something, as an administrator would.
    pub fn ask(&self, words: &[&str]) -> redis::Value {
        ask(&self.url(), words)
    }

    /// The same, as text.
    pub fn text(&self, words: &[&str]) -> String {
        redis::from_redis_value(self.ask(words)).unwrap()
    }

    /// A field of INFO.
    pub fn info(&self, field: &str) -> String {
        let info = self.text(&["INFO"]);
        let line = info.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        line.unwrap_or_default().into()
    }
}

/// Asks whoever is at a URL.
pub fn ask(url: &str, words: &[&str]) -> redis::Value {
    let mut connection = redis::Client::open(url).unwrap().get_connection().unwrap();
    let mut command = redis::cmd(words[0]);
    for word in &words[1..] {
        command.arg(*word);
    }
    command.query(&mut connection).unwrap_or_else(|error| panic!("{words:?}: {error}"))
}

/// Asks again until the answer pleases.
pub fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while std::time::Instant::now() < deadline {
        if let Some(found) = ask() {
            return found;
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    panic!("it took more than a minute: {what}");
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Three primaries, each with a third of the slots, and perhaps a replica of each.
pub struct Cluster {
    pub nodes: Vec<Server>,
}

impl Cluster {
    pub fn start() -> Self {
        Self::with_replicas(0)
    }

    /// With so many replicas of each primary, all in step.
    pub fn with_replicas(replicas: usize) -> Self {
        // Where a replica is to take over it should do so soon. Without one a node that is slow, not dead, would only make the
        // others refuse everything.
        let patience_ms = if replicas > 0 { "2000" } else { "60000" };
        let node = || {
            let bus = free_port().to_string();
            let arguments =
                ["--cluster-enabled", "yes", "--cluster-port", &bus, "--cluster-node-timeout", patience_ms];
            Server::start(&arguments)
        };
        let nodes: Vec<_> = (0..3 * (1 + replicas)).map(|_| node()).collect();
        let mut command = Command::new("redis-cli");
        command.args(["--cluster", "create", "--cluster-yes", "--cluster-replicas", &replicas.to_string()]);
        command.args(nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        nodes.iter().for_each(|node| node.wait_for("Cluster state changed: ok"));
        nodes.iter().filter(|node| node.info("role") == "slave").for_each(Server::wait_in_step);
        Self { nodes }
    }

    pub fn url(&self) -> String {
        let nodes: Vec<_> = self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
        format!("redis-cluster://{}", nodes.join(","))
    }
}
