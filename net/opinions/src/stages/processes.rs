//! The gRPC transport between processes of this machine. A crash is `kill -9`.
//!
//! The processes are this very executable, started again with a variable that says who it is to be; the test that may be
//! started so calls [`be_a_process`] and does nothing else. Parent and child speak in lines.

use super::sockets::ANY;
use super::wired::{Places, Wired};
use super::wires::Wires;
use bytes::Bytes;
use parking_lot::Mutex;
use quark_core::handshake::Hello;
use quark_core::wire::Lane;
use quark_core::{Generation, SiloId, SiloName};
use quark_env::Transport;
use quark_env::transport::{Incoming, SendError};
use quark_grpc::{Config, GrpcTransport};
use quark_testkit::transport_conformance::{Case, Observation, Role};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Waker};

/// Runs a case. `entry` is the full name of the test that calls [`be_a_process`].
///
/// Panics: if the transport breaks its contract, or a process does not start.
pub fn on_processes(case: &Case, entry: &'static str) -> Observation {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let stage = Wired::new(Processes { entry, children: Mutex::default() });
    let seen = runtime.block_on(case.run(stage.clone()));
    stage.places.children.lock().values_mut().for_each(end);
    seen
}

/// What a parent asks of a process.
#[derive(Serialize, Deserialize)]
enum Ask {
    Learn {
        name: String,
        generation: u64,
        address: String,
    },
    Forget {
        name: String,
        generation: u64,
        reason: String,
    },
    Send {
        name: String,
        generation: u64,
        lane: u8,
        bytes: Vec<u8>,
    },
    /// Waits for arrivals, at most so many.
    Take {
        max: usize,
    },
}

/// What a process says.
#[derive(Serialize, Deserialize)]
enum Say {
    Listening { address: SocketAddr },
    Sent(Result<(), Unsent>),
    Taken(Vec<Arrival>),
}

#[derive(Serialize, Deserialize)]
enum Unsent {
    NotConnected,
    Full,
    TooLarge { bytes: usize, bytes_max: usize },
    Closed,
}

#[derive(Serialize, Deserialize)]
enum Arrival {
    Frame { name: String, generation: u64, lane: u8, bytes: Vec<u8> },
    LinkDown { name: String, generation: u64 },
    Refused { name: String, generation: u64, reason: String, dead: bool },
}

struct Processes {
    entry: &'static str,
    children: Mutex<BTreeMap<String, Child>>,
}

impl Places for Processes {
    fn open(&self, wires: &Wires, who: SiloId, role: Role) -> Arc<dyn Transport> {
        let name = who.name.as_str().to_owned();
        let mut command = Command::new(std::env::current_exe().expect("this is a process"));
        command.args(["--exact", self.entry, "--nocapture"]);
        let is_silo = role == Role::Silo;
        command.env(WHO, serde_json::to_string(&(&name, who.generation.0, is_silo)).expect("plain data"));
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this executable starts again");
        let input = child.stdin.take().expect("it is piped");
        let (answers, answered) = mpsc::channel();
        let arrivals = Arc::<Mutex<Arrivals>>::default();
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        let of_reader = arrivals.clone();
        std::thread::spawn(move || listen(output, &answers, &of_reader));
        let Ok(Say::Listening { address }) = answered.recv() else { panic!("{who} did not start") };
        if is_silo {
            wires.is_at(&name, address);
        }
        let earlier = self.children.lock().insert(name.clone(), child);
        assert!(earlier.is_none(), "a process runs at `{name}`");
        let line = Mutex::new(Line { input, answered });
        Arc::new(Remote { who, line, arrivals })
    }

    fn crash(&self, name: &str) {
        end(&mut self.children.lock().remove(name).expect("a process runs there"));
    }
}

fn end(child: &mut Child) {
    child.kill().expect("it is ours");
    child.wait().expect("it has ended");
}

/// The transport of another process.
struct Remote {
    who: SiloId,
    line: Mutex<Line>,
    arrivals: Arc<Mutex<Arrivals>>,
}

struct Line {
    input: ChildStdin,
    answered: mpsc::Receiver<Say>,
}

#[derive(Default)]
struct Arrivals {
    queue: VecDeque<Incoming>,
    /// The process has been asked, and will say.
    is_asked: bool,
    waker: Option<Waker>,
}

impl Remote {
    fn say(&self, ask: &Ask) {
        let mut text = serde_json::to_vec(ask).expect("plain data");
        text.push(b'\n');
        let _ = self.line.lock().input.write_all(&text); // maybe: it was killed
    }
}

impl Transport for Remote {
    fn local(&self) -> SiloId {
        self.who
    }

    fn learn(&self, peer: SiloId, address: &str) {
        let (name, generation) = plain(peer);
        self.say(&Ask::Learn { name, generation, address: address.into() });
    }

    fn forget(&self, peer: SiloId, reason: &str) {
        let (name, generation) = plain(peer);
        self.say(&Ask::Forget { name, generation, reason: reason.into() });
    }

    fn try_send(&self, to: SiloId, lane: Lane, frame: Bytes) -> Result<(), SendError> {
        let (name, generation) = plain(to);
        self.say(&Ask::Send { name, generation, lane: lane as u8, bytes: frame.to_vec() });
        match self.line.lock().answered.recv() {
            Ok(Say::Sent(sent)) => sent.map_err(|unsent| match unsent {
                Unsent::NotConnected => SendError::NotConnected,
                Unsent::Full => SendError::Full,
                Unsent::TooLarge { bytes, bytes_max } => SendError::TooLarge { bytes, bytes_max },
                Unsent::Closed => SendError::Closed,
            }),
            _ => Err(SendError::Closed),
        }
    }

    fn poll_recv(&self, cx: &mut Context<'_>, out: &mut Vec<Incoming>, max: usize) -> Poll<usize> {
        let mut arrivals = self.arrivals.lock();
        let count = arrivals.queue.len().min(max);
        if count > 0 {
            out.extend(arrivals.queue.drain(..count));
            return Poll::Ready(count);
        }
        arrivals.waker = Some(cx.waker().clone());
        if !std::mem::replace(&mut arrivals.is_asked, true) {
            drop(arrivals);
            self.say(&Ask::Take { max });
        }
        Poll::Pending
    }
}

/// Sorts what a process says. The rest of its output is its test harness's.
fn listen(output: impl BufRead, answers: &mpsc::Sender<Say>, arrivals: &Mutex<Arrivals>) {
    for line in output.lines().map_while(Result::ok) {
        let Some(text) = line.split_once(MARK).map(|(_, text)| text) else { continue };
        match serde_json::from_str(text).expect("a process says what it was built to say") {
            Say::Taken(taken) => {
                let mut arrivals = arrivals.lock();
                arrivals.queue.extend(taken.into_iter().map(incoming));
                arrivals.is_asked = false;
                if let Some(waker) = arrivals.waker.take() {
                    waker.wake();
                }
            }
            other => drop(answers.send(other)),
        }
    }
}

/// Becomes a process of the stage, if this one was started as such; then it does not return.
pub fn be_a_process() {
    let Ok(who) = std::env::var(WHO) else { return };
    let (name, generation, is_silo): (String, u64, bool) =
        serde_json::from_str(&who).expect("the stage's words");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let entered = runtime.enter();
    let (hello, limits) = (Hello::new("stage", id(&name, generation), 0), super::turmoil::limits());
    let transport = match is_silo {
        true => {
            GrpcTransport::bind(Config { listen: ANY, advertise: None, hello, limits }).expect("a free port")
        }
        false => GrpcTransport::client_with(hello, limits),
    };
    tell(&Say::Listening { address: transport.listen_addr().unwrap_or(ANY) });
    for line in std::io::stdin().lines().map_while(Result::ok) {
        match serde_json::from_str(&line).expect("the stage's words") {
            Ask::Learn { name, generation, address } => transport.learn(id(&name, generation), &address),
            Ask::Forget { name, generation, reason } => transport.forget(id(&name, generation), &reason),
            Ask::Send { name, generation, lane, bytes } => {
                let sent = transport.try_send(id(&name, generation), lane_of(lane), bytes.into());
                tell(&Say::Sent(sent.map_err(|error| match error {
                    SendError::NotConnected => Unsent::NotConnected,
                    SendError::Full => Unsent::Full,
                    SendError::TooLarge { bytes, bytes_max } => Unsent::TooLarge { bytes, bytes_max },
                    SendError::Closed => Unsent::Closed,
                })));
            }
            Ask::Take { max } => {
                let transport = transport.clone();
                runtime.spawn(async move {
                    let mut out = Vec::new();
                    poll_fn(|cx| transport.poll_recv(cx, &mut out, max)).await;
                    tell(&Say::Taken(out.into_iter().map(arrival).collect()));
                });
            }
        }
    }
    drop(entered);
    std::process::exit(0);
}

fn tell(say: &Say) {
    let text = serde_json::to_string(say).expect("plain data");
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{MARK}{text}").and_then(|()| out.flush()); // maybe: the stage is gone
}

fn arrival(incoming: Incoming) -> Arrival {
    match incoming {
        Incoming::Frame { from, lane, bytes } => {
            let (name, generation) = plain(from);
            Arrival::Frame { name, generation, lane: lane as u8, bytes: bytes.to_vec() }
        }
        Incoming::LinkDown { peer } => {
            let (name, generation) = plain(peer);
            Arrival::LinkDown { name, generation }
        }
        Incoming::Refused { peer, reason, dead } => {
            let (name, generation) = plain(peer);
            Arrival::Refused { name, generation, reason, dead }
        }
    }
}

fn incoming(arrival: Arrival) -> Incoming {
    match arrival {
        Arrival::Frame { name, generation, lane, bytes } => {
            Incoming::Frame { from: id(&name, generation), lane: lane_of(lane), bytes: bytes.into() }
        }
        Arrival::LinkDown { name, generation } => Incoming::LinkDown { peer: id(&name, generation) },
        Arrival::Refused { name, generation, reason, dead } => {
            Incoming::Refused { peer: id(&name, generation), reason, dead }
        }
    }
}

fn plain(silo: SiloId) -> (String, u64) {
    (silo.name.as_str().to_owned(), silo.generation.0)
}

fn id(name: &str, generation: u64) -> SiloId {
    SiloId::new(SiloName::new(name).expect("the stage's names are well formed"), Generation(generation))
}

fn lane_of(number: u8) -> Lane {
    if number == Lane::Control as u8 { Lane::Control } else { Lane::User }
}

/// Who a process is to be: its name, its generation, and whether it listens.
const WHO: &str = "QUARK_OPINIONS_WHO";
/// What the lines of a process begin with, if they are not its test harness's.
const MARK: &str = "~stage~ ";
