//! Who is refused, and what both sides hear of it.

use crate::harness::{Node, config, hello, silo, within};
use bytes::Bytes;
use quark_core::SiloId;
use quark_core::wire::Lane;
use quark_env::Transport;
use quark_env::transport::{Incoming, SendError};
use quark_grpc::DialError;

/// The reason with which `node` is refused by `peer`.
async fn refused(node: &mut Node, by: SiloId) -> (String, bool) {
    match node.next().await {
        Incoming::Refused { peer, reason, dead } => {
            assert_eq!(peer, by);
            (reason, dead)
        }
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[tokio::test]
async fn a_silo_of_another_cluster_is_refused_and_both_names_are_said() {
    let mut foreign = config(silo("a", 1));
    foreign.hello.cluster = "staging".into();
    let (mut a, b) = (Node::with(foreign), Node::silo("b", 1));
    a.learn(&b);
    let (reason, dead) = refused(&mut a, b.id()).await;
    assert!(reason.contains("staging") && reason.contains("test"), "{reason}");
    assert!(!dead);
}

#[tokio::test]
async fn a_silo_of_another_protocol_is_refused_with_the_numbers() {
    let mut newer = config(silo("a", 1));
    (newer.hello.protocol_min, newer.hello.protocol_max) = (41, 43);
    let (mut a, b) = (Node::with(newer), Node::silo("b", 1));
    a.learn(&b);
    let (reason, dead) = refused(&mut a, b.id()).await;
    assert!(reason.contains("41"), "{reason}");
    assert!(!dead);
}

#[tokio::test]
async fn a_silo_of_another_contract_is_refused() {
    let mut other = config(silo("a", 1));
    other.hello.contract_digest = 8;
    let (mut a, b) = (Node::with(other), Node::silo("b", 1));
    a.learn(&b);
    assert!(!refused(&mut a, b.id()).await.1);
}

#[tokio::test]
async fn a_dead_generation_and_the_ones_before_it_are_told_that_they_are_dead() {
    let b = Node::silo("b", 1);
    b.transport.forget(silo("a", 5), "evicted in view 12");
    for generation in [4, 5] {
        let mut a = Node::silo("a", generation);
        a.learn(&b);
        assert_eq!(refused(&mut a, b.id()).await, ("evicted in view 12".into(), true));
    }
    let (mut a, mut b) = (Node::silo("a", 6), b);
    a.learn(&b);
    a.meet(&mut b).await;
}

#[tokio::test]
async fn a_silo_forgotten_while_linked_is_told_and_cannot_be_sent_to() {
    let (mut a, mut b) = (Node::silo("a", 1), Node::silo("b", 1));
    a.learn(&b);
    a.meet(&mut b).await;
    b.transport.forget(a.id(), "evicted in view 3");
    assert_eq!(b.transport.try_send(a.id(), Lane::User, Bytes::new()), Err(SendError::NotConnected));
    assert_eq!(refused(&mut a, b.id()).await, ("evicted in view 3".into(), true));
    assert_eq!(a.next().await, Incoming::LinkDown { peer: b.id() });
    b.learn(&a);
    assert_eq!(
        b.transport.try_send(a.id(), Lane::User, Bytes::new()),
        Err(SendError::NotConnected),
        "what was forgotten is not learnt again"
    );
}

#[tokio::test]
async fn a_client_forgotten_while_linked_is_told() {
    let (mut client, mut b) = (Node::client("client"), Node::silo("b", 1));
    client.learn(&b);
    client.meet(&mut b).await;
    b.transport.forget(client.id(), "this gateway closes");
    assert_eq!(refused(&mut client, b.id()).await, ("this gateway closes".into(), true));
}

#[tokio::test]
async fn a_refusal_is_reported_once_and_later_than_the_loss_of_what_was_queued() {
    let b = Node::silo("b", 1);
    b.transport.forget(silo("a", 1), "evicted");
    let mut a = Node::silo("a", 1);
    a.learn(&b);
    a.send(b.id(), Lane::User, "in vain");
    let mut refusals = 0;
    let mut losses = 0;
    while refusals + losses < 2 {
        match a.next().await {
            Incoming::Refused { .. } => refusals += 1,
            Incoming::LinkDown { .. } => losses += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((refusals, losses), (1, 1));
}

#[tokio::test]
async fn whoever_answers_in_anothers_place_is_not_taken_for_it() {
    let b2 = Node::silo("b", 2);
    let mut a = Node::silo("a", 1);
    a.transport.learn(silo("b", 1), &b2.address());
    a.send(silo("b", 1), Lane::User, "for the first");
    assert_eq!(a.next().await, Incoming::LinkDown { peer: silo("b", 1) });
}

#[tokio::test]
async fn an_address_that_refuses_or_is_none_is_an_error_that_names_it() {
    let mut foreign = hello(silo("client", 1));
    foreign.cluster = "staging".into();
    let client = quark_grpc::GrpcTransport::client(foreign);
    let b = Node::silo("b", 1);
    let refused = within(client.identify(&b.address())).await.expect_err("another cluster");
    assert!(matches!(&refused, DialError::Refused { dead: false, .. }), "{refused}");
    assert!(refused.to_string().contains(&b.address()), "{refused}");
    let nonsense = within(client.identify("not an address")).await.expect_err("no address");
    assert!(matches!(nonsense, DialError::Address { .. }), "{nonsense}");
    let address = b.address();
    within(b.transport.shutdown()).await;
    let unreachable = within(client.identify(&address)).await.expect_err("nobody listens");
    assert!(matches!(unreachable, DialError::Unreachable { .. }), "{unreachable}");
}
