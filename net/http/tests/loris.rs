//! Clients on real sockets that trickle, do not listen, or come in numbers, beside one that behaves. Nothing here
//! sleeps: every wait is for the server to do something, under one watchdog.

use quark_http::{ActorCall, Backend, BoxFuture, Health, Limits, Problem, serve};
use serde_json::{Value, json};
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;

const LONG: Duration = Duration::from_secs(3600);
const SHORT: Duration = Duration::from_millis(50);
const HUGE_BYTES: usize = 32 << 20;

/// A server whose calls end when they are let go.
struct Server {
    address: SocketAddr,
    backend: Slow,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

#[derive(Clone)]
struct Slow {
    begun: Arc<Semaphore>,
    let_go: Arc<Semaphore>,
}

impl Backend for Slow {
    fn call(&self, call: ActorCall) -> BoxFuture<Result<Value, Problem>> {
        let slow = self.clone();
        Box::pin(async move {
            slow.begun.add_permits(1);
            slow.let_go.acquire().await.expect("never closed").forget();
            Ok(call.arguments)
        })
    }

    fn cluster(&self) -> Value {
        json!({})
    }

    fn health(&self) -> Health {
        Health { is_serving: true, details: json!({}) }
    }

    fn greeting(&self) -> String {
        "x".repeat(HUGE_BYTES)
    }
}

/// Limits of which only those that a test is about are ever met.
fn patient() -> Limits {
    Limits { connections_max: 100, header_timeout: LONG, body_timeout: LONG, response_timeout: LONG }
}

async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), work).await.expect("it happens within 30 s")
}

impl Server {
    async fn start(limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let none = || Arc::new(Semaphore::new(0));
        let backend = Slow { begun: none(), let_go: none() };
        let (stop, stopping) = oneshot::channel();
        let serving = tokio::spawn(serve(listener, Arc::new(backend.clone()), limits, async {
            let _ = stopping.await;
        }));
        Self { address, backend, stop, serving }
    }

    async fn connect(&self) -> TcpStream {
        within(TcpStream::connect(self.address)).await.expect("it listens")
    }

    /// A client that says what it wants and reads the answer.
    async fn is_served(&self) {
        let mut client = self.connect().await;
        assert_eq!(ask(&mut client, "GET /health HTTP/1.1\r\nhost: q\r\n\r\n").await, 200);
    }

    async fn call_begun(&self) {
        within(self.backend.begun.acquire()).await.expect("never closed").forget();
    }
}

/// Sends a request and reads one answer with a short body; its status.
async fn ask(client: &mut TcpStream, request: &str) -> u16 {
    client.write_all(request.as_bytes()).await.expect("the server reads");
    status(&answer(client).await)
}

/// Reads until an answer with a JSON object as its body is whole.
async fn answer(client: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    while !answer.ends_with(b"}") {
        let read = within(client.read_buf(&mut answer)).await.expect("an answer");
        assert!(read > 0, "the server hung up after {:?}", String::from_utf8_lossy(&answer));
    }
    String::from_utf8(answer).expect("text")
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status")
}

/// Everything until the server hangs up. A reset is as good as an end.
async fn rest(client: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = within(client.read_to_end(&mut answer)).await;
    String::from_utf8(answer).expect("text")
}

/// Sends one byte, has somebody else served, and so on, until the server hangs up; what it said.
async fn trickle(server: &Server, client: &mut TcpStream, byte: &[u8]) -> String {
    let mut said = Vec::new();
    within(async {
        while client.write_all(byte).await.is_ok() {
            server.is_served().await;
            match client.try_read_buf(&mut said) {
                Ok(0) => break,
                Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => break,
                _ => {}
            }
        }
    })
    .await;
    String::from_utf8(said).expect("text")
}

#[tokio::test]
async fn a_header_that_trickles_is_cut_off_and_others_are_served_meanwhile() {
    let server = Server::start(Limits { header_timeout: SHORT, ..patient() }).await;
    let mut loris = server.connect().await;
    loris.write_all(b"GET /health HTTP/1.1\r\nx: ").await.expect("the server reads");
    assert_eq!(trickle(&server, &mut loris, b"x").await, "");
    let mut silent = server.connect().await;
    assert_eq!(rest(&mut silent).await, "");
}

#[tokio::test]
async fn a_connection_that_asks_nothing_more_is_closed() {
    let server = Server::start(Limits { header_timeout: SHORT, ..patient() }).await;
    let mut idle = server.connect().await;
    assert_eq!(ask(&mut idle, "GET /health HTTP/1.1\r\nhost: q\r\n\r\n").await, 200);
    assert_eq!(rest(&mut idle).await, "");
}

#[tokio::test]
async fn a_body_that_trickles_is_answered_408_and_others_are_served_meanwhile() {
    let server = Server::start(Limits { body_timeout: SHORT, ..patient() }).await;
    for header in ["content-length: 1000000", "transfer-encoding: chunked"] {
        let mut loris = server.connect().await;
        let request = format!("POST /actors/a/b/c HTTP/1.1\r\nhost: q\r\n{header}\r\n\r\n");
        loris.write_all(request.as_bytes()).await.expect("the server reads");
        // A chunk of one byte is also what a plain body may hold.
        let said = trickle(&server, &mut loris, b"1\r\nx\r\n").await + &rest(&mut loris).await;
        assert_eq!(status(&said), 408, "{said}");
        assert!(said.contains("connection: close") && said.contains("send the whole body"), "{said}");
    }
}

#[tokio::test]
async fn a_body_that_nobody_asked_for_is_not_waited_for() {
    let server = Server::start(patient()).await;
    let mut loris = server.connect().await;
    let request = "GET /health HTTP/1.1\r\nhost: q\r\ncontent-length: 1000000\r\n\r\n";
    assert_eq!(ask(&mut loris, request).await, 200);
    assert_eq!(trickle(&server, &mut loris, b"x").await, "");
}

#[tokio::test]
async fn a_client_that_does_not_listen_does_not_hold_up_the_end() {
    let server = Server::start(Limits { response_timeout: SHORT, ..patient() }).await;
    let mut deaf = server.connect().await;
    deaf.write_all(b"GET / HTTP/1.1\r\nhost: q\r\n\r\n").await.expect("the server reads");
    // The first bytes are there: the response is being written.
    assert_eq!(within(deaf.peek(&mut [0; 8])).await.expect("an answer"), 8);
    server.is_served().await;
    server.stop.send(()).expect("it serves");
    within(server.serving).await.expect("it does not panic");
    assert!(rest(&mut deaf).await.len() < HUGE_BYTES, "the rest was given up");
}

#[tokio::test]
async fn strangers_who_hold_every_connection_give_way_to_whoever_asks() {
    let server = Server::start(Limits { connections_max: 4, ..patient() }).await;
    let mut lorises = Vec::new();
    for _ in 0..4 {
        let mut loris = server.connect().await;
        loris.write_all(b"GET /health HT").await.expect("the system buffers");
        lorises.push(loris);
    }
    server.is_served().await;
    assert_eq!(rest(&mut lorises.remove(0)).await, "", "the one that waited longest has gone");
    for mut loris in lorises {
        assert_eq!(ask(&mut loris, "TP/1.1\r\nhost: q\r\n\r\n").await, 200, "the others have not");
    }
}

#[tokio::test]
async fn calls_keep_their_connections_and_whoever_comes_then_is_told_to_try_again() {
    let server = Server::start(Limits { connections_max: 2, ..patient() }).await;
    let mut callers = [server.connect().await, server.connect().await];
    for caller in &mut callers {
        let request = b"POST /actors/a/b/c HTTP/1.1\r\nhost: q\r\ncontent-length: 2\r\n\r\n{}";
        caller.write_all(request).await.expect("the server reads");
        server.call_begun().await;
    }
    let mut late = server.connect().await;
    let said = rest(&mut late).await;
    assert_eq!(status(&said), 503, "{said}");
    assert!(said.contains("retry-after: 1") && said.contains("try again"), "{said}");
    server.backend.let_go.add_permits(2);
    for mut caller in callers {
        assert_eq!(status(&answer(&mut caller).await), 200);
    }
    server.is_served().await;
}
