//! Wires between places of this machine: TCP relays, each way of which can be pinched off and opened again.
//!
//! What is pinched is late and not lost, as on a real network whose TCP sends again what a cut has swallowed. A dial into a
//! pinched wire is taken by the relay and then stays without an answer, where a real cut would not even take it.

use super::sockets::ANY;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

/// All wires of a stage, with a runtime of their own. Dropping it cuts them.
pub struct Wires {
    runtime: Option<Runtime>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Where the process of each place listens.
    places: BTreeMap<String, SocketAddr>,
    /// Where a place finds another.
    ends: BTreeMap<(String, String), SocketAddr>,
    /// Whether a way is open.
    ways: BTreeMap<(String, String), watch::Sender<bool>>,
}

impl State {
    fn way(&mut self, from: &str, to: &str) -> &watch::Sender<bool> {
        self.ways.entry((from.into(), to.into())).or_insert_with(|| watch::Sender::new(true))
    }
}

impl Wires {
    /// None yet.
    #[expect(clippy::new_without_default, reason = "it starts threads")]
    pub fn new() -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        Self { runtime: Some(runtime), state: Arc::default() }
    }

    /// The process of a place listens there from now on.
    pub fn is_at(&self, name: &str, address: SocketAddr) {
        self.state.lock().places.insert(name.into(), address);
    }

    /// Where one place finds another.
    pub fn between(&self, from: &str, to: &str) -> SocketAddr {
        let mut state = self.state.lock();
        if !state.places.contains_key(to) {
            // Nobody listens there: the port was free a moment ago.
            let listener = std::net::TcpListener::bind(ANY).expect("a free port");
            return listener.local_addr().expect("it is bound");
        }
        let way = (from.to_owned(), to.to_owned());
        if let Some(end) = state.ends.get(&way) {
            return *end;
        }
        let listener = std::net::TcpListener::bind(ANY).expect("a free port");
        let end = listener.local_addr().expect("it is bound");
        listener.set_nonblocking(true).expect("a socket can be that");
        state.ends.insert(way.clone(), end);
        let (onward, back) = (state.way(from, to).subscribe(), state.way(to, from).subscribe());
        drop(state);
        let state = self.state.clone();
        self.runtime.as_ref().expect("not dropped").spawn(async move {
            let listener = TcpListener::from_std(listener).expect("a runtime with I/O");
            while let Ok((near, _)) = listener.accept().await {
                let target = state.lock().places[&way.1];
                let (onward, back) = (onward.clone(), back.clone());
                tokio::spawn(relay(near, target, onward, back));
            }
        });
        end
    }

    /// Nothing passes from one place to the other from now on.
    pub fn pinch(&self, from: &str, to: &str) {
        self.state.lock().way(from, to).send_replace(false);
    }

    /// Undoes that.
    pub fn open(&self, from: &str, to: &str) {
        self.state.lock().way(from, to).send_replace(true);
    }
}

impl Drop for Wires {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Carries a connection until one of its ends is gone.
async fn relay(
    near: TcpStream,
    target: SocketAddr,
    mut onward: watch::Receiver<bool>,
    back: watch::Receiver<bool>,
) {
    if onward.wait_for(|open| *open).await.is_err() {
        return;
    }
    let Ok(far) = TcpStream::connect(target).await else { return };
    let _ = (near.set_nodelay(true), far.set_nodelay(true)); // maybe: it is gone already
    let ((near_read, near_write), (far_read, far_write)) = (near.into_split(), far.into_split());
    // Whichever end goes first, the other hears of it as soon as it could on this wire.
    tokio::select! {
        _ = carry(near_read, far_write, onward) => {}
        _ = carry(far_read, near_write, back) => {}
    }
}

/// One way. Nothing passes while it is pinched, and neither does the end.
async fn carry(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut way: watch::Receiver<bool>,
) -> io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let count = from.read(&mut buffer).await;
        if way.wait_for(|open| *open).await.is_err() {
            return Ok(());
        }
        match count? {
            0 => return Ok(()),
            count => to.write_all(&buffer[..count]).await?,
        }
    }
}
