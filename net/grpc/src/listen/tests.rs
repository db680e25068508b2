//! Peers that speak HTTP/2 and gRPC well, and our protocol badly.

use super::*;
use crate::config::{BATCH_FRAMES_MAX, Config};
use crate::hello::Greeting;
use crate::transport::GrpcTransport;
use bytes::{BufMut, Bytes};
use futures_util::stream;
use prost::Message;
use quark_core::handshake::Hello;
use quark_core::{Generation, SiloId, SiloName};
use quark_env::Transport;
use quark_env::transport::Incoming;
use std::future::poll_fn;
use tokio::net::TcpStream;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::{Channel, Endpoint};

/// Sends any bytes as messages.
#[derive(Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = ();
    type Encoder = Raw;
    type Decoder = Raw;
    fn encoder(&mut self) -> Raw {
        Raw
    }
    fn decoder(&mut self) -> Raw {
        Raw
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;
    fn encode(&mut self, bytes: Bytes, buf: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buf.put(bytes);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = ();
    type Error = Status;
    fn decode(&mut self, _: &mut DecodeBuf<'_>) -> Result<Option<()>, Status> {
        Ok(Some(()))
    }
}

fn silo(name: &str) -> SiloId {
    SiloId::new(SiloName::new(name).expect("valid"), Generation(1))
}

fn victim() -> Arc<GrpcTransport> {
    let hello = Hello::new("test", silo("victim"), 0);
    GrpcTransport::bind(Config::new(SocketAddr::from(([127, 0, 0, 1], 0)), hello)).expect("a free port")
}

async fn connect(to: &GrpcTransport) -> Channel {
    let address = to.listen_addr().expect("it listens");
    Endpoint::from_shared(format!("http://{address}"))
        .expect("an address")
        .connect()
        .await
        .expect("it listens")
}

fn greeting() -> Greeting {
    Greeting {
        hello: Hello::new("test", silo("attacker"), 0),
        lane: Some(Lane::User),
        expected: Some(silo("victim")),
        address: String::new(),
    }
}

/// Opens a stream whose messages are these bytes, and which then stays open.
async fn open(
    over: &Channel,
    greeting: Option<Greeting>,
    messages: Vec<Bytes>,
) -> Result<Response<Streaming<()>>, Status> {
    let mut request = Request::new(stream::iter(messages).chain(stream::pending()));
    if let Some(greeting) = greeting {
        greeting.write(request.metadata_mut());
    }
    let mut client = tonic::client::Grpc::new(over.clone());
    client.ready().await.expect("connected");
    let path = hyper::http::uri::PathAndQuery::from_static("/quark.link.v1.Links/Link");
    client.streaming(request, path, Raw).await
}

async fn next(transport: &GrpcTransport) -> Incoming {
    let mut out = Vec::new();
    let receive = poll_fn(|cx| transport.poll_recv(cx, &mut out, 1));
    timeout(Duration::from_secs(30), receive).await.expect("it happens within 30 s");
    out.remove(0)
}

/// Fails unless the victim still serves others.
async fn assert_unharmed(victim: &GrpcTransport) {
    let friend = GrpcTransport::client(Hello::new("test", silo("friend"), 0));
    friend.learn(victim.local(), &victim.listen_addr().expect("it listens").to_string());
    friend.try_send(victim.local(), Lane::User, Bytes::from_static(b"hello")).expect("room");
    assert!(matches!(next(victim).await, Incoming::Frame { from, .. } if from == silo("friend")));
}

#[tokio::test]
async fn a_batch_that_is_none_breaks_its_link() {
    let too_many = proto_batch(BATCH_FRAMES_MAX + 1);
    let truncated = proto_batch(3).slice(..5);
    for bad in [Bytes::from_static(&[0xff; 100]), too_many, truncated] {
        let victim = victim();
        let channel = connect(&victim).await;
        let good = Batch { frames: vec![Bytes::from_static(b"good")], goodbye: None }.encode_to_vec().into();
        let mut answer =
            open(&channel, Some(greeting()), vec![good, bad]).await.expect("welcome").into_inner();
        assert!(matches!(next(&victim).await, Incoming::Frame { bytes, .. } if bytes == "good"));
        assert_eq!(next(&victim).await, Incoming::LinkDown { peer: silo("attacker") });
        while let Ok(Some(())) = answer.message().await {}
        assert_unharmed(&victim).await;
    }
}

fn proto_batch(frames: usize) -> Bytes {
    Batch { frames: vec![Bytes::from_static(b"x"); frames], goodbye: None }.encode_to_vec().into()
}

#[tokio::test]
async fn whoever_does_not_greet_is_told_so() {
    let victim = victim();
    let channel = connect(&victim).await;
    let status = open(&channel, None, vec![]).await.expect_err("refused");
    assert!(status.message().contains("quark-hello-bin"), "{status}");
    assert_unharmed(&victim).await;
}

#[tokio::test]
async fn a_connection_carries_one_link() {
    let victim = victim();
    let channel = connect(&victim).await;
    let _first = open(&channel, Some(greeting()), vec![]).await.expect("welcome");
    let second = open(&channel, Some(greeting()), vec![]).await.expect_err("refused");
    assert!(second.message().contains("one link"), "{second}");
}

#[tokio::test]
async fn a_peer_that_takes_this_silos_name_is_refused() {
    let victim = victim();
    let channel = connect(&victim).await;
    let mut greeting = greeting();
    greeting.hello.silo = silo("victim");
    let status = open(&channel, Some(greeting), vec![]).await.expect_err("refused");
    assert!(status.message().contains("victim#1"), "{status}");
}

#[tokio::test]
async fn another_method_is_unknown() {
    let victim = victim();
    let mut client = tonic::client::Grpc::new(connect(&victim).await);
    client.ready().await.expect("connected");
    let path = hyper::http::uri::PathAndQuery::from_static("/quark.link.v1.Links/Other");
    let outcome = client.streaming(Request::new(stream::pending()), path, Raw).await;
    assert_eq!(outcome.expect_err("refused").code(), tonic::Code::Unimplemented);
}

#[tokio::test]
async fn a_stranger_who_hangs_on_does_not_hold_up_a_shutdown() {
    let victim = victim();
    let _stranger = TcpStream::connect(victim.listen_addr().expect("it listens")).await.expect("it accepts");
    assert_unharmed(&victim).await;
    let start = std::time::Instant::now();
    victim.shutdown().await;
    assert!(start.elapsed() < Duration::from_secs(2), "the flush time-out was not needed");
}
