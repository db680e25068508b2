//! Frames pass, in order, in their lanes.

use crate::harness::{Node, config, silo, within};
use bytes::Bytes;
use quark_core::wire::Lane;
use quark_env::Transport;
use quark_env::transport::{Incoming, SendError};
use std::net::SocketAddr;

#[tokio::test]
async fn two_silos_that_know_one_another_exchange_frames_both_ways() {
    let (mut a, mut b) = (Node::silo("a", 1), Node::silo("b", 1));
    a.learn(&b);
    b.learn(&a);
    a.meet(&mut b).await;
}

#[tokio::test]
async fn a_silo_is_answered_before_its_address_was_learnt() {
    let (mut a, mut b) = (Node::silo("a", 1), Node::silo("b", 1));
    a.learn(&b);
    a.meet(&mut b).await;
}

#[tokio::test]
async fn a_silo_that_listens_on_all_interfaces_is_answered_where_it_called_from() {
    let mut everywhere = config(silo("a", 1));
    everywhere.listen = SocketAddr::from(([0, 0, 0, 0], 0));
    let (mut a, mut b) = (Node::with(everywhere), Node::silo("b", 1));
    a.learn(&b);
    a.meet(&mut b).await;
}

#[tokio::test]
async fn frames_of_a_lane_arrive_in_the_order_sent() {
    let (a, mut b) = (Node::silo("a", 1), Node::silo("b", 1));
    a.learn(&b);
    for number in 0..20_000 {
        let lane = if number % 2 == 0 { Lane::Control } else { Lane::User };
        a.send(b.id(), lane, number.to_string());
        if number % 500 == 0 {
            tokio::task::yield_now().await;
        }
    }
    let mut next = [0, 1];
    while next != [20_000, 20_001] {
        let (_, lane, text) = b.frame().await;
        let expected = &mut next[lane as usize];
        assert_eq!(text, expected.to_string(), "in {lane:?}");
        *expected += 2;
    }
}

#[tokio::test]
async fn what_is_queued_together_arrives_together() {
    let (a, b) = (Node::silo("a", 1), Node::silo("b", 1));
    a.learn(&b);
    for number in 0..500 {
        a.send(b.id(), Lane::User, number.to_string());
    }
    assert_eq!(b.receive(1000).await.len(), 500, "one batch, one wake-up");
}

#[tokio::test]
async fn empty_and_largest_frames_pass_unchanged() {
    let (a, mut b) = (Node::silo("a", 1), Node::silo("b", 1));
    a.learn(&b);
    let largest: Bytes = (0..(4 << 20) + (256 << 10)).map(|at: u32| (at % 251) as u8).collect();
    for frame in [Bytes::new(), largest.clone(), Bytes::new()] {
        a.transport.try_send(b.id(), Lane::User, frame).expect("room in the queue");
    }
    for expected in [Bytes::new(), largest, Bytes::new()] {
        match b.next().await {
            Incoming::Frame { bytes, .. } => assert!(bytes == expected, "{} bytes", bytes.len()),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_client_without_listener_gets_its_replies() {
    let (mut client, mut b) = (Node::client("client"), Node::silo("b", 1));
    assert_eq!(client.transport.listen_addr(), None);
    client.learn(&b);
    client.meet(&mut b).await;
}

#[tokio::test]
async fn a_client_learns_who_answers_at_an_address() {
    let (mut client, mut b) = (Node::client("client"), Node::silo("b", 4));
    let found = within(client.transport.identify(&b.address())).await.expect("b answers");
    assert_eq!(found, silo("b", 4));
    client.transport.learn(found, &b.address());
    client.meet(&mut b).await;
}

#[tokio::test]
async fn a_peer_nobody_learnt_or_heard_of_cannot_be_sent_to() {
    let a = Node::silo("a", 1);
    for stranger in [silo("b", 1), a.id()] {
        assert_eq!(a.transport.try_send(stranger, Lane::User, Bytes::new()), Err(SendError::NotConnected));
    }
}

#[tokio::test]
async fn a_shutdown_hands_over_what_is_queued_and_then_ends_both_consumers_waits() {
    let (mut a, mut b) = (Node::silo("a", 1), Node::silo("b", 1));
    a.learn(&b);
    a.meet(&mut b).await;
    for number in 0..5_000 {
        a.send(b.id(), Lane::User, number.to_string());
    }
    within(a.transport.shutdown()).await;
    assert_eq!(a.transport.try_send(b.id(), Lane::User, Bytes::new()), Err(SendError::Closed));
    assert_eq!(a.receive(1).await, [], "the end");
    for number in 0..5_000 {
        assert_eq!(b.text().await, number.to_string());
    }
    assert_eq!(b.next().await, Incoming::LinkDown { peer: a.id() });
}
