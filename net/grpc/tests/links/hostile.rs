//! Strangers on the port: cut off, without harm to anybody else.

use crate::harness::{Node, config, silo, within};
use bytes::Bytes;
use quark_core::wire::Lane;
use quark_env::Transport;
use quark_env::transport::Incoming;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Waits for the other side to hang up.
async fn hung_up(stranger: &mut TcpStream) {
    let mut answer = Vec::new();
    // A reset is as good as an end.
    let _ = within(stranger.read_to_end(&mut answer)).await;
}

#[tokio::test]
async fn garbage_is_cut_off_and_disturbs_no_link() {
    let (mut a, mut b) = (Node::silo("a", 1), Node::silo("b", 1));
    a.learn(&b);
    a.meet(&mut b).await;
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let mut oversized_frame = preface.to_vec();
    oversized_frame.extend([0xff, 0xff, 0xff, 0x00, 0x00, 0, 0, 0, 1]);
    let mut truncated = preface.to_vec();
    truncated.extend([0, 0, 0, 4, 0, 0, 0, 0, 0]);
    truncated.extend([0, 0, 40, 1, 4, 0, 0, 0, 1, 0x82]);
    let floods: [Vec<u8>; 5] = [
        b"GET / HTTP/1.1\r\nHost: quark\r\n\r\n".to_vec(),
        vec![0; 100_000],
        (0..100_000u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect(),
        oversized_frame,
        truncated,
    ];
    for garbage in floods {
        let mut stranger = TcpStream::connect(b.address()).await.expect("b listens");
        // It may hang up while we are still writing.
        let _ = stranger.write_all(&garbage).await;
        let _ = stranger.shutdown().await;
        hung_up(&mut stranger).await;
        a.meet(&mut b).await;
    }
}

#[tokio::test]
async fn whoever_does_not_greet_in_time_is_cut_off() {
    let mut impatient = config(silo("b", 1));
    impatient.limits.handshake_timeout = Duration::from_millis(20);
    let mut b = Node::with(impatient);
    let mut silent = TcpStream::connect(b.address()).await.expect("b listens");
    let mut slow = TcpStream::connect(b.address()).await.expect("b listens");
    slow.write_all(b"PRI * HTTP/2.0\r\n").await.expect("b reads");
    hung_up(&mut silent).await;
    hung_up(&mut slow).await;
    let mut a = Node::silo("a", 1);
    a.learn(&b);
    a.meet(&mut b).await;
}

/// What a client says before its first headers: the preface, and settings with nothing in them.
const OPENING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";

/// The headers of a call of `Link`, as HPACK literals; the handshake is not among them.
fn call() -> Vec<u8> {
    let mut block = vec![0x83, 0x86]; // :method POST, :scheme http
    for (name, value) in [
        (":path", "/quark.link.v1.Links/Link"),
        (":authority", "quark"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ] {
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).expect("short"));
            block.extend_from_slice(text.as_bytes());
        }
    }
    block
}

fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
    [&length[1..], &[kind, flags, 0, 0, 0, 1], payload].concat()
}

const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;

/// Says so much at once and then a piece at a time while two peers talk, until `b` hangs up.
async fn trickle(a: &mut Node, b: &mut Node, at_once: &[u8], then: &[u8]) {
    let mut loris = TcpStream::connect(b.address()).await.expect("b listens");
    loris.write_all(at_once).await.expect("b reads");
    let mut said = Vec::new();
    within(async {
        for piece in then.chunks(1).cycle() {
            if loris.write_all(piece).await.is_err() {
                break;
            }
            a.meet(b).await;
            match loris.try_read_buf(&mut said) {
                Ok(0) => break,
                Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => break,
                _ => {}
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_handshake_that_trickles_is_cut_off_and_disturbs_no_link() {
    let mut impatient = config(silo("b", 1));
    impatient.limits.handshake_timeout = Duration::from_millis(50);
    let (mut a, mut b) = (Node::silo("a", 1), Node::with(impatient));
    a.learn(&b);
    a.meet(&mut b).await;
    let pings = [0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
    let unfinished = frame(HEADERS, 0, &call());
    let empty = frame(CONTINUATION, 0, b"");
    let tables: [(&[u8], &[u8]); 5] = [
        (b"", OPENING),
        (&OPENING[..10], &OPENING[10..]),
        // Greets with HTTP/2, and then only asks whether anybody is there.
        (OPENING, &pings),
        // Headers that promise to go on, and do, with nothing.
        (&[OPENING, &unfinished].concat(), &empty),
        // A frame longer than will ever come.
        (&[OPENING, &[0, 0x3f, 0xff, HEADERS, 4, 0, 0, 0, 1]].concat(), &[0]),
    ];
    for (at_once, then) in tables {
        trickle(&mut a, &mut b, at_once, then).await;
    }
}

#[tokio::test]
async fn a_call_without_a_greeting_is_refused_and_cut_off() {
    let mut b = Node::silo("b", 1);
    let mut mute = TcpStream::connect(b.address()).await.expect("b listens");
    mute.write_all(&[OPENING, &frame(HEADERS, 4, &call())].concat()).await.expect("b reads");
    hung_up(&mut mute).await;
    let mut a = Node::silo("a", 1);
    a.learn(&b);
    a.meet(&mut b).await;
}

#[tokio::test]
async fn strangers_who_hold_every_seat_give_way_to_peers() {
    let mut small = config(silo("b", 1));
    small.limits.handshake_timeout = Duration::from_secs(3600);
    (small.limits.connections_max, small.limits.strangers_max) = (100, 4);
    let (mut a, mut b) = (Node::silo("a", 1), Node::with(small));
    let mut strangers = Vec::new();
    for _ in 0..8 {
        let mut stranger = TcpStream::connect(b.address()).await.expect("b listens");
        let _ = stranger.write_all(&OPENING[..10]).await; // it may have had to go
        strangers.push(stranger);
    }
    for stranger in &mut strangers[..4] {
        hung_up(stranger).await;
    }
    a.learn(&b);
    a.meet(&mut b).await;
    // Its two links took the places of two strangers, and stay when more of them come.
    for stranger in &mut strangers[4..6] {
        hung_up(stranger).await;
    }
    for _ in 0..8 {
        strangers.push(TcpStream::connect(b.address()).await.expect("b listens"));
    }
    a.meet(&mut b).await;
}

#[tokio::test]
async fn connections_beyond_the_limit_are_refused_until_a_peer_leaves() {
    let mut small = config(silo("b", 1));
    small.limits.connections_max = 2;
    let mut b = Node::with(small);
    let mut a = Node::silo("a", 1);
    a.learn(&b);
    a.meet(&mut b).await;
    let mut third = TcpStream::connect(b.address()).await.expect("the system accepts");
    hung_up(&mut third).await;
    a.meet(&mut b).await;
    drop(a);
    let mut client = Node::client("client");
    client.learn(&b);
    // Its first attempts may come before the peer's end was noticed; what they were to carry is then said to be lost.
    client.send(b.id(), Lane::User, "a free seat");
    loop {
        tokio::select! {
            biased;
            arrived = b.next() => match arrived {
                Incoming::LinkDown { peer } => assert_eq!(peer, silo("a", 1)),
                Incoming::Frame { bytes, .. } => break assert_eq!(bytes, "a free seat"),
                other => panic!("{other:?}"),
            },
            lost = client.next() => {
                assert_eq!(lost, Incoming::LinkDown { peer: b.id() });
                client.send(b.id(), Lane::User, "a free seat");
            }
        }
    }
}

#[tokio::test]
async fn a_batch_beyond_the_limit_breaks_its_link_and_no_other() {
    let mut generous = config(silo("a", 1));
    generous.limits.frame_bytes_max = 8 << 20;
    let (mut a, mut b) = (Node::with(generous), Node::silo("b", 1));
    let mut c = Node::silo("c", 1);
    a.learn(&b);
    c.learn(&b);
    a.meet(&mut b).await;
    c.meet(&mut b).await;
    a.transport.try_send(b.id(), Lane::User, Bytes::from(vec![0; 8 << 20])).expect("a allows it");
    assert_eq!(b.next().await, Incoming::LinkDown { peer: a.id() });
    assert_eq!(a.next().await, Incoming::LinkDown { peer: b.id() });
    c.meet(&mut b).await;
    a.meet(&mut b).await;
}
