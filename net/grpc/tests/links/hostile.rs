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

#[tokio::test]
async fn connections_beyond_the_limit_are_refused_until_one_is_free() {
    let mut small = config(silo("b", 1));
    small.limits.connections_max = 2;
    let mut b = Node::with(small);
    let first = TcpStream::connect(b.address()).await.expect("b listens");
    let second = TcpStream::connect(b.address()).await.expect("b listens");
    let mut third = TcpStream::connect(b.address()).await.expect("the system accepts");
    hung_up(&mut third).await;
    drop((first, second));
    let client = Node::client("client");
    client.learn(&b);
    // Its first attempts may come before the strangers' ends were noticed.
    while client.transport.identify(&b.address()).await.is_err() {}
    client.send(b.id(), Lane::User, "a free seat");
    assert_eq!(b.text().await, "a free seat");
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
