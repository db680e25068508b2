//! Links break and come back.

use crate::harness::{Node, Relay, config, silo};
use quark_core::wire::Lane;
use quark_env::Transport;
use quark_env::transport::Incoming;
use std::time::Duration;

#[tokio::test]
async fn a_peer_that_vanishes_is_announced_once() {
    let (mut a, mut b) = (Node::silo("a", 1), Node::silo("b", 1));
    let mut witness = Node::silo("witness", 1);
    a.learn(&b);
    b.learn(&a);
    a.meet(&mut b).await;
    let lost = b.id();
    drop(b);
    assert_eq!(a.next().await, Incoming::LinkDown { peer: lost });
    // Both sides' links of both lanes broke. Several round trips with another silo later, nothing more has been said.
    a.learn(&witness);
    for _ in 0..20 {
        a.meet(&mut witness).await;
    }
}

#[tokio::test]
async fn a_client_that_vanishes_is_announced_and_cannot_be_sent_to() {
    let (mut client, mut b) = (Node::client("client"), Node::silo("b", 1));
    client.learn(&b);
    client.meet(&mut b).await;
    let lost = client.id();
    drop(client);
    assert_eq!(b.next().await, Incoming::LinkDown { peer: lost });
    while b.transport.try_send(lost, Lane::Control, bytes::Bytes::new()).is_ok() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_restarted_listener_is_found_under_its_new_generation() {
    let (mut a, mut b1) = (Node::silo("a", 1), Node::silo("b", 1));
    a.learn(&b1);
    a.meet(&mut b1).await;
    let listen = b1.transport.listen_addr().expect("it listens");
    b1.transport.shutdown().await;
    assert_eq!(a.next().await, Incoming::LinkDown { peer: silo("b", 1) });
    let mut restarted = config(silo("b", 2));
    restarted.listen = listen;
    let mut b2 = Node::with(restarted);
    a.learn(&b2);
    a.meet(&mut b2).await;
    a.transport.forget(silo("b", 1), "superseded");
    a.meet(&mut b2).await;
}

/// Sends until something arrives: what is sent while a break has not been noticed is lost, and said to be.
async fn reach(a: &mut Node, b: &mut Node, lane: Lane, text: &str) {
    'sending: loop {
        a.send(b.id(), lane, text);
        loop {
            tokio::select! {
                arrived = b.next() => match arrived {
                    Incoming::Frame { bytes, .. } if bytes == text.as_bytes() => return,
                    Incoming::LinkDown { .. } => {}
                    other => panic!("{other:?}"),
                },
                heard = a.next() => {
                    assert_eq!(heard, Incoming::LinkDown { peer: b.id() });
                    continue 'sending;
                }
            }
        }
    }
}

#[tokio::test]
async fn a_cut_link_is_dialled_again_without_being_asked() {
    let (mut a, mut b) = (Node::silo("a", 1), Node::silo("b", 1));
    let relay = Relay::to(b.address()).await;
    a.transport.learn(b.id(), &relay.address);
    b.learn(&a);
    for round in 0..5 {
        for lane in [Lane::User, Lane::Control] {
            reach(&mut a, &mut b, lane, &format!("{lane:?} {round}")).await;
        }
        relay.cut();
        assert_eq!(a.next().await, Incoming::LinkDown { peer: b.id() });
    }
}

#[tokio::test]
async fn frames_queued_for_an_unreachable_peer_are_announced_as_lost() {
    let b = Node::silo("b", 1);
    let (id, address) = (b.id(), b.address());
    b.transport.shutdown().await;
    let mut a = Node::silo("a", 1);
    a.transport.learn(id, &address);
    a.send(id, Lane::User, "in vain");
    assert_eq!(a.next().await, Incoming::LinkDown { peer: id });
}

#[tokio::test]
async fn a_new_address_is_dialled_though_the_old_one_never_answered() {
    let mut b = Node::silo("b", 1);
    let (mut a, gone) = (Node::silo("a", 1), Node::silo("gone", 1));
    let nobody = gone.address();
    gone.transport.shutdown().await;
    a.transport.learn(b.id(), &nobody);
    a.send(b.id(), Lane::User, "in vain");
    assert_eq!(a.next().await, Incoming::LinkDown { peer: b.id() });
    a.learn(&b);
    a.meet(&mut b).await;
}

#[tokio::test]
async fn a_client_that_links_again_replaces_its_half_open_links() {
    let mut b = Node::silo("b", 1);
    let relay = Relay::to(b.address()).await;
    let mut client = Node::client("client");
    client.transport.learn(b.id(), &relay.address);
    client.meet(&mut b).await;
    // The client goes, and nothing tells b.
    relay.freeze();
    drop(client);
    let mut again = Node::client("client");
    again.learn(&b);
    for lane in [Lane::Control, Lane::User] {
        again.send(b.id(), lane, "again");
    }
    let (mut losses, mut frames) = (0, 0);
    while frames < 2 {
        match b.next().await {
            Incoming::LinkDown { peer } if peer == again.id() => losses += 1,
            Incoming::Frame { bytes, .. } if bytes == "again" => frames += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(losses > 0, "what was under way to the old links is lost");
    again.meet(&mut b).await;
}

#[tokio::test]
async fn a_peer_that_falls_silent_is_announced() {
    let mut patient = config(silo("a", 1));
    patient.limits.keep_alive_interval = Duration::from_millis(20);
    patient.limits.keep_alive_timeout = Duration::from_millis(40);
    let (mut a, mut b) = (Node::with(patient), Node::silo("b", 1));
    let relay = Relay::to(b.address()).await;
    a.transport.learn(b.id(), &relay.address);
    a.meet(&mut b).await;
    relay.freeze();
    assert_eq!(a.next().await, Incoming::LinkDown { peer: b.id() });
}
