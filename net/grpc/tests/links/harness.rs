//! Transports with a consumer, and a relay that can be cut.

use bytes::Bytes;
use quark_core::handshake::Hello;
use quark_core::wire::Lane;
use quark_core::{Generation, SiloId, SiloName};
use quark_env::Transport;
use quark_env::transport::Incoming;
use quark_grpc::{Config, GrpcTransport, Limits};
use std::collections::VecDeque;
use std::future::{Future, pending, poll_fn};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::{AbortHandle, JoinHandle};

/// Fails a test that waits for something that never comes.
pub async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), work).await.expect("it happens within 30 s")
}

pub fn silo(name: &str, generation: u64) -> SiloId {
    SiloId::new(SiloName::new(name).expect("a valid name"), Generation(generation))
}

pub fn hello(id: SiloId) -> Hello {
    Hello::new("test", id, 7)
}

pub fn config(id: SiloId) -> Config {
    Config::new(SocketAddr::from(([127, 0, 0, 1], 0)), hello(id))
}

/// Limits small enough to reach.
pub fn tight() -> Limits {
    Limits {
        queue_bytes_max: 128 << 10,
        inbound_bytes_max: 128 << 10,
        window_bytes: 128 << 10,
        ..Limits::default()
    }
}

/// A transport and what has been received but not looked at.
pub struct Node {
    pub transport: Arc<GrpcTransport>,
    received: VecDeque<Incoming>,
}

impl Node {
    pub fn silo(name: &str, generation: u64) -> Self {
        Self::with(config(silo(name, generation)))
    }

    pub fn with(config: Config) -> Self {
        Self::of(GrpcTransport::bind(config).expect("a free port"))
    }

    pub fn client(name: &str) -> Self {
        Self::of(GrpcTransport::client(hello(silo(name, 1))))
    }

    fn of(transport: Arc<GrpcTransport>) -> Self {
        Self { transport, received: VecDeque::new() }
    }

    pub fn id(&self) -> SiloId {
        self.transport.local()
    }

    pub fn address(&self) -> String {
        self.transport.listen_addr().expect("a silo listens").to_string()
    }

    pub fn learn(&self, other: &Node) {
        self.transport.learn(other.id(), &other.address());
    }

    pub fn send(&self, to: SiloId, lane: Lane, text: impl Into<String>) {
        self.transport.try_send(to, lane, Bytes::from(text.into())).expect("room in the queue");
    }

    /// Everything of one receive.
    pub async fn receive(&self, max: usize) -> Vec<Incoming> {
        within(poll_fn(|cx| {
            let mut out = Vec::new();
            self.transport.poll_recv(cx, &mut out, max).map(|taken| {
                assert_eq!(taken, out.len());
                out
            })
        }))
        .await
    }

    /// The next thing that arrives.
    pub async fn next(&mut self) -> Incoming {
        if self.received.is_empty() {
            self.received.extend(self.receive(1000).await);
        }
        self.received.pop_front().expect("the transport is open")
    }

    /// The next frame, as (from, lane, text). Fails on anything else.
    pub async fn frame(&mut self) -> (SiloId, Lane, String) {
        match self.next().await {
            Incoming::Frame { from, lane, bytes } => {
                (from, lane, String::from_utf8(bytes.to_vec()).expect("a text"))
            }
            other => panic!("{}: expected a frame, got {other:?}", self.id()),
        }
    }

    /// The text of the next frame in the user lane.
    pub async fn text(&mut self) -> String {
        let (_, lane, text) = self.frame().await;
        assert_eq!(lane, Lane::User);
        text
    }

    /// Waits until frames pass both ways in both lanes.
    pub async fn meet(&mut self, other: &mut Node) {
        for lane in [Lane::Control, Lane::User] {
            self.send(other.id(), lane, "hello");
            assert_eq!(other.frame().await, (self.id(), lane, "hello".into()));
            other.send(self.id(), lane, "welcome");
            assert_eq!(self.frame().await, (other.id(), lane, "welcome".into()));
        }
    }
}

/// A TCP relay in front of a silo, whose connections can be cut.
pub struct Relay {
    pub address: String,
    connections: Arc<Mutex<Vec<AbortHandle>>>,
    frozen: Arc<Notify>,
    accepting: JoinHandle<()>,
}

impl Relay {
    pub async fn to(target: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound").to_string();
        let connections = Arc::new(Mutex::new(Vec::new()));
        let accepted = connections.clone();
        let frozen = Arc::new(Notify::new());
        let freeze = frozen.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((mut inward, _)) = listener.accept().await {
                let (target, freeze) = (target.clone(), freeze.clone());
                let carrying = tokio::spawn(async move {
                    let Ok(mut onward) = TcpStream::connect(target).await else { return };
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut inward, &mut onward) => {}
                        () = freeze.notified() => pending().await,
                    }
                });
                accepted.lock().expect("not poisoned").push(carrying.abort_handle());
            }
        });
        Self { address, connections, frozen, accepting }
    }

    /// Carries nothing more on what is connected, and tells nobody.
    pub fn freeze(&self) {
        self.frozen.notify_waiters();
    }

    /// Cuts what is connected. New connections are carried.
    pub fn cut(&self) {
        for connection in self.connections.lock().expect("not poisoned").drain(..) {
            connection.abort();
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}
