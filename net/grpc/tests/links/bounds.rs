//! Memory is bounded, and a full lane holds up nobody but itself.

use crate::harness::{Node, config, silo, tight, within};
use bytes::Bytes;
use quark_core::wire::Lane;
use quark_env::Transport;
use quark_env::transport::{Incoming, SendError};
use quark_grpc::{BindError, GrpcTransport};

fn tight_silo(name: &str) -> Node {
    let mut config = config(silo(name, 1));
    config.limits = tight();
    Node::with(config)
}

/// Sends numbered frames until the queue stays full. Returns how many were accepted.
async fn fill(from: &Node, to: &Node, frame_bytes: usize) -> u32 {
    let mut accepted: u32 = 0;
    let mut refused_in_a_row = 0;
    within(async {
        while refused_in_a_row < 1000 {
            let mut frame = vec![0; frame_bytes];
            frame[..4].copy_from_slice(&accepted.to_le_bytes());
            match from.transport.try_send(to.id(), Lane::User, frame.into()) {
                Ok(()) => (accepted, refused_in_a_row) = (accepted + 1, 0),
                Err(SendError::Full) => {
                    refused_in_a_row += 1;
                    tokio::task::yield_now().await;
                }
                Err(error) => panic!("{error}"),
            }
        }
    })
    .await;
    accepted
}

#[tokio::test]
async fn a_peer_that_stops_reading_fills_the_queue_and_loses_nothing() {
    let (mut a, mut b) = (tight_silo("a"), tight_silo("b"));
    a.learn(&b);
    a.meet(&mut b).await;
    let accepted = fill(&a, &b, 1 << 10).await;
    assert!(accepted >= 128, "a queue of 128 KiB held {accepted} KiB");
    assert!(accepted < 16 << 10, "{accepted} KiB were accepted for a reader that does not read");
    for number in 0..accepted {
        match b.next().await {
            Incoming::Frame { bytes, .. } => assert_eq!(bytes[..4], number.to_le_bytes()),
            other => panic!("{other:?}"),
        }
    }
    a.meet(&mut b).await;
}

#[tokio::test]
async fn a_user_backlog_does_not_hold_up_a_control_frame() {
    let (mut a, mut b) = (tight_silo("a"), tight_silo("b"));
    a.learn(&b);
    a.meet(&mut b).await;
    let mut wide = config(silo("wide", 1));
    wide.limits.queue_bytes_max = 8 << 20;
    let mut wide = Node::with(wide);
    wide.learn(&b);
    wide.meet(&mut b).await;
    for _ in 0..64 {
        let frame = Bytes::from(vec![0; 64 << 10]);
        wide.transport.try_send(b.id(), Lane::User, frame).expect("room for 4 MiB");
    }
    fill(&a, &b, 16 << 10).await;
    wide.send(b.id(), Lane::Control, "heartbeat");
    // Nobody receives at b meanwhile; enough goes through the sockets elsewhere for the heartbeat to have got through.
    let (mut c, mut d) = (Node::silo("c", 1), Node::silo("d", 1));
    c.learn(&d);
    for _ in 0..50 {
        c.meet(&mut d).await;
    }
    match &b.receive(1).await[..] {
        [Incoming::Frame { from, lane: Lane::Control, bytes }] => {
            assert_eq!((*from, &bytes[..]), (wide.id(), &b"heartbeat"[..]));
        }
        other => panic!("a user frame came first: {other:?}"),
    }
}

#[tokio::test]
async fn a_frame_beyond_the_limit_is_refused_with_both_numbers() {
    let (a, b) = (tight_silo("a"), tight_silo("b"));
    a.learn(&b);
    let bytes_max = tight().frame_bytes_max;
    assert_eq!(
        a.transport.try_send(b.id(), Lane::User, Bytes::from(vec![0; bytes_max + 1])),
        Err(SendError::TooLarge { bytes: bytes_max + 1, bytes_max })
    );
    assert_eq!(
        a.transport.try_send(b.id(), Lane::User, Bytes::from(vec![0; bytes_max])),
        Ok(()),
        "a frame always fits into an empty queue"
    );
}

#[tokio::test]
async fn a_queue_is_bounded_in_frames_as_in_bytes() {
    let mut few = config(silo("a", 1));
    few.limits.queue_frames_max = 3;
    let (a, b) = (Node::with(few), Node::silo("b", 1));
    a.learn(&b);
    for _ in 0..3 {
        a.send(b.id(), Lane::User, "");
    }
    assert_eq!(a.transport.try_send(b.id(), Lane::User, Bytes::new()), Err(SendError::Full));
    assert_eq!(a.transport.try_send(b.id(), Lane::Control, Bytes::new()), Ok(()), "lanes do not share");
}

#[tokio::test]
async fn a_port_in_use_is_named_with_the_remedy() {
    let a = Node::silo("a", 1);
    let mut config = config(silo("b", 1));
    config.listen = a.transport.listen_addr().expect("it listens");
    let error = GrpcTransport::bind(config).err().expect("the port is taken");
    assert!(matches!(error, BindError::InUse { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains(&a.address()) && text.contains("configure another port"), "{text}");
}

#[tokio::test]
async fn an_address_of_another_machine_is_named_as_unusable() {
    let mut config = config(silo("b", 1));
    config.listen = "192.0.2.1:0".parse().expect("an address");
    let error = GrpcTransport::bind(config).err().expect("not ours");
    assert!(matches!(error, BindError::Unusable { .. }), "{error}");
    assert!(error.to_string().contains("192.0.2.1"), "{error}");
}
