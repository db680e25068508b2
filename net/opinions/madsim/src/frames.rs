//! Frames over madsim's TCP: as little of a transport as keeps the contract.
//!
//! Each end dials the links that it sends on, one for each lane; an end without an address, a client, is answered on the
//! links that it dialled. A link that says nothing for three seconds is given up.

use bytes::Bytes;
use madsim::net::{TcpListener, TcpStream};
use madsim::time::{sleep, timeout};
use parking_lot::Mutex;
use quark_core::wire::Lane;
use quark_core::{Generation, SiloId, SiloName};
use quark_env::Transport;
use quark_env::transport::{Incoming, SendError};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;

/// A transport on the node that makes it.
pub struct Frames(Arc<Shared>);

struct Shared {
    me: SiloId,
    listens: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    peers: BTreeMap<SiloId, Peer>,
    /// The newest generation of each name that was told to be dead, and why.
    dead: BTreeMap<SiloName, (Generation, String)>,
    inbound: [VecDeque<Incoming>; 2],
    consumer: Option<Waker>,
}

#[derive(Default)]
struct Peer {
    address: Option<String>,
    /// By lane.
    ways: [Way; 2],
    is_dialled: bool,
}

#[derive(Default)]
struct Way {
    queue: VecDeque<Bytes>,
    /// Something was queued since a loss was last said.
    may_be_lost: bool,
    /// The links that it dialled to us: only the newest is used.
    accepted: u64,
    filled: Arc<Notify>,
}

impl Frames {
    /// A silo's: it listens at this address from now on. To be called on its node.
    pub async fn listening(me: SiloId, address: &str) -> io::Result<Arc<Self>> {
        let listener = TcpListener::bind(address).await?;
        let shared = Arc::new(Shared { me, listens: true, state: Mutex::default() });
        let of_task = shared.clone();
        madsim::task::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                madsim::task::spawn(of_task.clone().welcome(stream));
            }
        });
        Ok(Arc::new(Self(shared)))
    }

    /// A client's: it only dials.
    pub fn dialling(me: SiloId) -> Arc<Self> {
        Arc::new(Self(Arc::new(Shared { me, listens: false, state: Mutex::default() })))
    }
}

impl Transport for Frames {
    fn local(&self) -> SiloId {
        self.0.me
    }

    fn learn(&self, peer: SiloId, address: &str) {
        let mut state = self.0.state.lock();
        if peer == self.0.me || state.is_dead(peer).is_some() {
            return;
        }
        let known = state.peers.entry(peer).or_default();
        known.address = Some(address.into());
        if !std::mem::replace(&mut known.is_dialled, true) {
            for lane in [Lane::Control, Lane::User] {
                madsim::task::spawn(self.0.clone().keep_linked(peer, lane));
            }
        }
    }

    fn forget(&self, peer: SiloId, reason: &str) {
        let mut state = self.0.state.lock();
        state.peers.remove(&peer);
        let newest = state.dead.entry(peer.name).or_insert((peer.generation, reason.into()));
        if newest.0 < peer.generation {
            *newest = (peer.generation, reason.into());
        }
    }

    fn try_send(&self, to: SiloId, lane: Lane, frame: Bytes) -> Result<(), SendError> {
        let mut state = self.0.state.lock();
        let peer = state.peers.get_mut(&to).ok_or(SendError::NotConnected)?;
        let is_reachable = peer.address.is_some();
        let way = &mut peer.ways[lane as usize];
        if !is_reachable && way.accepted == 0 {
            return Err(SendError::NotConnected);
        }
        if way.queue.len() >= QUEUE_MAX {
            return Err(SendError::Full);
        }
        way.queue.push_back(frame);
        way.may_be_lost = true;
        way.filled.notify_one();
        Ok(())
    }

    fn poll_recv(&self, cx: &mut Context<'_>, out: &mut Vec<Incoming>, max: usize) -> Poll<usize> {
        let mut state = self.0.state.lock();
        let before = out.len();
        for lane in [0, 1] {
            let count = state.inbound[lane].len().min(max - (out.len() - before));
            out.extend(state.inbound[lane].drain(..count));
        }
        if out.len() > before {
            return Poll::Ready(out.len() - before);
        }
        state.consumer = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl State {
    fn is_dead(&self, peer: SiloId) -> Option<&str> {
        self.dead
            .get(&peer.name)
            .filter(|(dead, _)| peer.generation <= *dead)
            .map(|(_, reason)| reason.as_str())
    }

    fn put(&mut self, lane: Lane, incoming: Incoming) {
        self.inbound[lane as usize].push_back(incoming);
        if let Some(consumer) = self.consumer.take() {
            consumer.wake();
        }
    }

    /// A link of this way has ended, or could not be made: what waits for it is gone, and if anything may be, it is said.
    fn lose(&mut self, peer: SiloId, lane: Lane) {
        let Some(known) = self.peers.get_mut(&peer) else { return };
        let way = &mut known.ways[lane as usize];
        way.queue.clear();
        if std::mem::take(&mut way.may_be_lost) {
            self.put(Lane::User, Incoming::LinkDown { peer });
        }
    }
}

/// What travels on a link: a kind, a length, and so many bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Frame = 0,
    /// I am here.
    Ping = 1,
    /// Whom I am, whom I expect, and on which lane; answered by itself, or by a refusal.
    Hello = 2,
    /// Go away; whether you are dead, and why.
    Refusal = 3,
}

async fn write(stream: &mut (impl AsyncWriteExt + Unpin), kind: Kind, bytes: &[u8]) -> io::Result<()> {
    let mut message = vec![kind as u8];
    message.extend((bytes.len() as u32).to_be_bytes());
    message.extend(bytes);
    stream.write_all(&message).await?;
    stream.flush().await
}

async fn read(stream: &mut (impl AsyncReadExt + Unpin)) -> io::Result<(Kind, Vec<u8>)> {
    let kind = match stream.read_u8().await? {
        0 => Kind::Frame,
        1 => Kind::Ping,
        2 => Kind::Hello,
        3 => Kind::Refusal,
        _ => return Err(io::ErrorKind::InvalidData.into()),
    };
    let mut bytes = vec![0; stream.read_u32().await? as usize];
    stream.read_exact(&mut bytes).await?;
    Ok((kind, bytes))
}

fn hello(from: SiloId, to: SiloId, lane: Lane) -> Vec<u8> {
    format!("{} {} {} {} {}", from.name, from.generation.0, to.name, to.generation.0, lane as u8).into_bytes()
}

fn parse_hello(bytes: &[u8]) -> Option<(SiloId, SiloId, Lane)> {
    let text = std::str::from_utf8(bytes).ok()?;
    let words: Vec<_> = text.split(' ').collect();
    let silo = |name: &str, generation: &str| {
        Some(SiloId::new(SiloName::new(name).ok()?, Generation(generation.parse().ok()?)))
    };
    let [a, b, c, d, lane] = words[..] else { return None };
    Some((silo(a, b)?, silo(c, d)?, if lane == "0" { Lane::Control } else { Lane::User }))
}

impl Shared {
    async fn keep_linked(self: Arc<Self>, peer: SiloId, lane: Lane) {
        loop {
            let address = match self.state.lock().peers.get(&peer) {
                Some(known) => known.address.clone(),
                None => return,
            };
            let Some(address) = address else { return };
            if let Ok(Ok(stream)) = timeout(DIAL, TcpStream::connect(address)).await {
                self.link(stream, peer, lane).await;
            }
            self.state.lock().lose(peer, lane);
            sleep(PAUSE).await;
        }
    }

    /// Uses a link that we have dialled until it ends.
    async fn link(self: &Arc<Self>, mut stream: TcpStream, peer: SiloId, lane: Lane) {
        let greeted = timeout(SILENCE, async {
            write(&mut stream, Kind::Hello, &hello(self.me, peer, lane)).await?;
            read(&mut stream).await
        });
        match greeted.await {
            Ok(Ok((Kind::Hello, _))) => self.carry(stream, peer, lane, None).await,
            Ok(Ok((Kind::Refusal, said))) => {
                let dead = said.first() == Some(&1);
                let reason = String::from_utf8_lossy(&said[1..]).into_owned();
                self.state.lock().put(Lane::Control, Incoming::Refused { peer, reason, dead });
            }
            _ => {}
        }
    }

    /// Answers one who dials.
    async fn welcome(self: Arc<Self>, mut stream: TcpStream) {
        let Ok(Ok((Kind::Hello, said))) = timeout(SILENCE, read(&mut stream)).await else { return };
        let Some((from, expected, lane)) = parse_hello(&said) else { return };
        let dead = self.state.lock().is_dead(from).map(str::to_owned);
        if let Some(reason) = dead {
            let _ = write(&mut stream, Kind::Refusal, &[&[1], reason.as_bytes()].concat()).await;
            return;
        }
        if expected != self.me || write(&mut stream, Kind::Hello, b"").await.is_err() {
            return;
        }
        let number = {
            let mut state = self.state.lock();
            // Replies to come over this link may be lost with it.
            let way = &mut state.peers.entry(from).or_default().ways[lane as usize];
            way.may_be_lost |= lane == Lane::User;
            way.accepted += 1;
            way.accepted
        };
        self.carry(stream, from, lane, Some(number)).await;
        let mut state = self.state.lock();
        let is_client = state.peers.get(&from).is_some_and(|known| known.address.is_none());
        let is_newest =
            state.peers.get(&from).is_some_and(|known| known.ways[lane as usize].accepted == number);
        if is_client && is_newest {
            state.lose(from, lane);
            state.peers.remove(&from);
        }
    }

    /// Carries frames both ways until the link is silent, broken or replaced. `accepted`: they dialled it.
    async fn carry(self: &Arc<Self>, stream: TcpStream, peer: SiloId, lane: Lane, accepted: Option<u64>) {
        let (mut reader, mut writer) = tokio::io::split(stream);
        let reading = async {
            while let Ok(Ok((kind, bytes))) = timeout(SILENCE, read(&mut reader)).await {
                let mut state = self.state.lock();
                if state.is_dead(peer).is_some()
                    || (self.listens && accepted.is_none() && !state.peers.contains_key(&peer))
                {
                    return;
                }
                let newest = state.peers.get(&peer).map(|known| known.ways[lane as usize].accepted);
                if accepted.is_some() && newest != accepted {
                    return;
                }
                if kind == Kind::Frame {
                    state.put(lane, Incoming::Frame { from: peer, lane, bytes: bytes.into() });
                }
            }
        };
        let writing = async {
            loop {
                let (frame, filled) = {
                    let mut state = self.state.lock();
                    let Some(known) = state.peers.get_mut(&peer) else { return };
                    // Who has an address is sent to on the link that we dial, who has none on the one that it dialled.
                    let is_ours = known.address.is_some() == accepted.is_none();
                    let way = &mut known.ways[lane as usize];
                    if accepted.is_some_and(|number| number != way.accepted) {
                        return;
                    }
                    (if is_ours { way.queue.pop_front() } else { None }, way.filled.clone())
                };
                let written = match frame {
                    Some(frame) => write(&mut writer, Kind::Frame, &frame).await,
                    None => match timeout(PING, filled.notified()).await {
                        Ok(()) => Ok(()),
                        Err(_) => write(&mut writer, Kind::Ping, b"").await,
                    },
                };
                if written.is_err() {
                    return;
                }
            }
        };
        tokio::select! {
            biased;
            () = reading => {}
            () = writing => {}
        }
    }
}

const QUEUE_MAX: usize = 4096;
const DIAL: Duration = Duration::from_secs(1);
const SILENCE: Duration = Duration::from_secs(3);
const PING: Duration = Duration::from_millis(500);
const PAUSE: Duration = Duration::from_millis(100);
