//! The server: connections, commands, and what goes wrong with them.

use super::data::Data;
use super::resp::{Reply, take_command};
use super::scripts::{Script, digest};
use crate::lab::Lab;
use bytes::BytesMut;
use parking_lot::Mutex;
use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use turmoil::net::{TcpListener, TcpStream};

/// A machine with a Redis server on it. Its data outlives the server. Cheap to clone.
#[derive(Clone, Default)]
pub struct Redis(Arc<Mutex<Machine>>);

/// What the next commit meets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mischief {
    /// It is carried out, and the connection ends before it is answered.
    HangUp,
    /// It is carried out, and never answered.
    Swallow,
}

#[derive(Default)]
struct Machine {
    data: Data,
    /// The data before each of the last commits, newest last; only if some may be lost.
    past: VecDeque<Data>,
    may_lose: bool,
    process: Process,
    starts: u64,
    mischief: Option<Mischief>,
    refused: Vec<String>,
}

/// What a restart forgets.
#[derive(Default)]
struct Process {
    scripts: BTreeMap<Vec<u8>, Script>,
    connections: BTreeMap<u64, (SocketAddr, watch::Sender<bool>)>,
    next_connection: u64,
}

/// What becomes of an answer.
enum Answer {
    Say(Reply),
    HangUp,
    Nothing,
}

impl Redis {
    /// Starts the server on its host, and waits until it takes connections. Its data is what it was.
    pub async fn start(&self, lab: &Lab) {
        let redis = self.clone();
        let up = lab.boot_until(HOST, |tell| {
            Box::pin(async move {
                let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT))
                    .await
                    .expect("nobody else is on this host");
                {
                    let mut machine = redis.0.lock();
                    machine.process = Process::default();
                    machine.starts += 1;
                }
                let _ = tell.send(());
                loop {
                    let (stream, remote) = listener.accept().await.expect("a listener accepts");
                    tokio::spawn(redis.clone().serve(stream, remote));
                }
            })
        });
        up.await.expect("it starts");
    }

    /// Ends the server. What it has acknowledged is on its disk, but for its last commits, as many as `lost`: a server whose
    /// machine lost power, or a replica that has taken its place, lacks those.
    ///
    /// Panics: if `lost` is more than [`LOST_MAX`], or than there were since [`Redis::may_lose`].
    pub async fn crash(&self, lab: &Lab, lost: usize) {
        lab.crash(HOST).await;
        let mut machine = self.0.lock();
        for _ in 0..lost {
            machine.data = machine.past.pop_back().expect("there were so many commits");
        }
    }

    /// From now on commits can be lost.
    pub fn may_lose(&self) {
        self.0.lock().may_lose = true;
    }

    /// What happens to the next commit.
    pub fn plan(&self, mischief: Mischief) {
        self.0.lock().mischief = Some(mischief);
    }

    /// Whether the mischief has been done.
    pub fn is_done(&self) -> bool {
        self.0.lock().mischief.is_none()
    }

    /// What was asked for and is not known here. Empty, or the run shows nothing.
    pub fn refused(&self) -> Vec<String> {
        self.0.lock().refused.clone()
    }

    async fn serve(self, mut stream: TcpStream, remote: SocketAddr) {
        let (number, mut killed) = {
            let mut machine = self.0.lock();
            machine.process.next_connection += 1;
            let number = machine.process.next_connection;
            let (kill, killed) = watch::channel(false);
            machine.process.connections.insert(number, (remote, kill));
            (number, killed)
        };
        let mut buffer = BytesMut::new();
        let talk = async {
            loop {
                let mut out = Vec::new();
                while let Some(answer) = self.next(number, &mut buffer) {
                    match answer {
                        Answer::Say(reply) => reply.write(&mut out),
                        Answer::Nothing => {}
                        Answer::HangUp => return,
                    }
                }
                let written = stream.write_all(&out).await;
                if written.is_err() || !matches!(stream.read_buf(&mut buffer).await, Ok(1..)) {
                    return;
                }
            }
        };
        tokio::select! {
            biased;
            _ = killed.wait_for(|killed| *killed) => {}
            () = talk => {}
        }
        self.0.lock().process.connections.remove(&number);
    }

    /// Carries out the next command in the buffer, if a whole one has arrived.
    fn next(&self, connection: u64, buffer: &mut BytesMut) -> Option<Answer> {
        let words = match take_command(buffer) {
            Ok(words) => words?,
            Err(reason) => {
                self.0.lock().refused.push(reason);
                return Some(Answer::HangUp);
            }
        };
        let mut machine = self.0.lock();
        // A connection that was killed says nothing more, also not what it had sent before.
        if machine.process.connections.get(&connection).is_none_or(|(_, kill)| *kill.borrow()) {
            return Some(Answer::HangUp);
        }
        Some(machine.answer(connection, &words))
    }
}

impl Machine {
    fn answer(&mut self, connection: u64, words: &[Vec<u8>]) -> Answer {
        let is_commit = self.is_commit(words);
        if is_commit && self.may_lose {
            self.past.push_back(self.data.clone());
            if self.past.len() > LOST_MAX {
                self.past.pop_front();
            }
        }
        let reply = self.carry_out(connection, words);
        let mischief = if is_commit { self.mischief.take() } else { None };
        match mischief {
            None => Answer::Say(reply),
            Some(Mischief::HangUp) => Answer::HangUp,
            Some(Mischief::Swallow) => Answer::Nothing,
        }
    }

    fn is_commit(&self, words: &[Vec<u8>]) -> bool {
        let script = words.get(1).and_then(|digest| self.process.scripts.get(digest));
        words[0].eq_ignore_ascii_case(b"EVALSHA") && script.is_some_and(|script| *script == Script::Commit)
    }

    fn carry_out(&mut self, connection: u64, words: &[Vec<u8>]) -> Reply {
        let upper = |at: usize| words.get(at).map(|word| String::from_utf8_lossy(word).to_ascii_uppercase());
        let command = upper(0).unwrap_or_default();
        match (&*command, &words[1..]) {
            ("HELLO", [version]) if version == b"3" => self.hello(connection),
            ("PING", []) => Reply::text("PONG"),
            ("INFO", []) => Reply::text(self.info()),
            ("INFO", [_]) if upper(1).as_deref() == Some("REPLICATION") => Reply::text(self.info()),
            ("CLIENT", [_]) if upper(1).as_deref() == Some("INFO") => self.client_info(connection),
            ("CLIENT", [_, id, number, addr, remote])
                if upper(1).as_deref() == Some("KILL") && id == b"ID" && addr == b"ADDR" =>
            {
                self.kill(number, remote)
            }
            ("SCRIPT", [_, text]) if upper(1).as_deref() == Some("LOAD") => self.load(text),
            ("EVAL", [text, rest @ ..]) => match Script::of_text(text) {
                Some(script) => self.run(script, rest),
                None => self.refuse("a script that was not carried over"),
            },
            ("EVALSHA", [digest, rest @ ..]) => match self.process.scripts.get(digest).copied() {
                Some(script) => self.run(script, rest),
                None => Reply::Error("NOSCRIPT No matching script. Please use EVAL.".into()),
            },
            ("HMGET", [key, fields @ ..]) => {
                Reply::Array(fields.iter().map(|field| Reply::of(self.data.hget(key, field))).collect())
            }
            ("HGET", [key, field]) => Reply::of(self.data.hget(key, field)),
            _ => {
                let said: Vec<_> = words.iter().take(4).map(|word| String::from_utf8_lossy(word)).collect();
                self.refuse(&said.join(" "))
            }
        }
    }

    fn refuse(&mut self, what: &str) -> Reply {
        self.refused.push(what.into());
        Reply::Error(format!(
            "ERR the simulated server does not know `{what}`: teach it in net/opinions/src/redis"
        ))
    }

    fn hello(&self, connection: u64) -> Reply {
        Reply::Map(vec![
            ("server", Reply::text("redis")),
            ("version", Reply::text(VERSION)),
            ("proto", Reply::Int(3)),
            ("id", Reply::Int(connection as i64)),
            ("mode", Reply::text("standalone")),
            ("role", Reply::text("master")),
            ("modules", Reply::Array(Vec::new())),
        ])
    }

    /// Each start is another run with another history, as that of a server without a replica is.
    fn info(&self) -> String {
        let starts = self.starts;
        format!(
            "redis_version:{VERSION}\r\nredis_mode:standalone\r\nrun_id:run{starts}\r\nrole:master\r\n\
             master_replid:history{starts}\r\nmaxmemory_policy:noeviction\r\n"
        )
    }

    fn client_info(&self, connection: u64) -> Reply {
        let (remote, _) = &self.process.connections[&connection];
        Reply::text(format!("id={connection} addr={remote} name="))
    }

    fn kill(&self, number: &[u8], remote: &[u8]) -> Reply {
        let number = std::str::from_utf8(number).ok().and_then(|number| number.parse().ok()).unwrap_or(0);
        match self.process.connections.get(&number) {
            Some((found, kill)) if found.to_string().as_bytes() == remote => {
                kill.send_replace(true);
                Reply::Int(1)
            }
            _ => Reply::Int(0),
        }
    }

    fn load(&mut self, text: &[u8]) -> Reply {
        let Some(script) = Script::of_text(text) else {
            return self.refuse("a script that was not carried over");
        };
        let digest = digest(text);
        self.process.scripts.insert(digest.clone().into_bytes(), script);
        Reply::text(digest)
    }

    /// `numkeys key... arg...`
    fn run(&mut self, script: Script, words: &[Vec<u8>]) -> Reply {
        let keys = words.first().and_then(|count| std::str::from_utf8(count).ok()?.parse::<usize>().ok());
        let Some((keys, args)) = keys.and_then(|count| words[1..].split_at_checked(count)) else {
            return Reply::Error("ERR Number of keys can't be greater than number of args".into());
        };
        let now_s = turmoil::since_epoch().unwrap_or_default().as_secs();
        script.run(&mut self.data, keys, args, now_s)
    }
}

/// The host that the server is on.
pub const HOST: &str = "redis";
const PORT: u16 = 6379;
const VERSION: &str = "7.0.15";
/// So many commits can be lost.
pub const LOST_MAX: usize = 64;
