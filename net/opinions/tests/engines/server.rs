//! A real Redis server, killed at the latest when this is dropped.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

pub struct Server {
    pub port: u16,
    child: Child,
    _folder: tempfile::TempDir,
}

impl Server {
    pub fn start() -> Self {
        // Somebody else may take the port between our asking for it and the server's.
        (0..20).find_map(|_| Self::launch()).expect("redis-server gets a port")
    }

    fn launch() -> Option<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        drop(listener);
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = Command::new("redis-server");
        command
            .args(["--save", "", "--bind", "127.0.0.1", "--port", &port.to_string(), "--dir"])
            .arg(folder.path());
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let mut child = spawned.unwrap_or_else(|error| {
            panic!("this test needs a Redis server (`redis-server`: {error}): apt-get install redis-server")
        });
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut lines = output.lines().map_while(Result::ok);
        if lines.any(|line| line.contains("eady to accept connections")) {
            // What it says from now on has to go somewhere.
            std::thread::spawn(move || lines.for_each(drop));
            return Some(Self { port, child, _folder: folder });
        }
        let _ = child.wait();
        None
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
