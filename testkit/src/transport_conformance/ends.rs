//! Who is not there, who ends, and who is refused.

use super::peer::{Peer, noticed, silo};
use super::{Observation, Role, Stage};
use quark_core::wire::Lane;
use quark_env::transport::{Incoming, SendError};
use std::sync::Arc;
use std::time::Duration;

pub(super) async fn what_waits_for_a_place_where_nobody_listens_is_said_to_be_lost(
    stage: Arc<dyn Stage>,
) -> Observation {
    let mut a = Peer::open(&stage, silo("a", 1), Role::Silo).await;
    let nobody = silo("nobody", 1);
    a.learn(nobody).await;
    a.send(nobody, Lane::User, "in vain");
    noticed(a.lost(nobody).await)
}

pub(super) async fn what_waits_for_a_place_out_of_reach_is_said_to_be_lost(
    stage: Arc<dyn Stage>,
) -> Observation {
    let mut a = Peer::open(&stage, silo("a", 1), Role::Silo).await;
    let b = Peer::open(&stage, silo("b", 1), Role::Silo).await;
    let address = stage.address("a", "b").await;
    stage.cut("a", "b");
    stage.cut("b", "a");
    a.transport.learn(b.id(), &address);
    a.send(b.id(), Lane::User, "in vain");
    noticed(a.lost(b.id()).await)
}

pub(super) async fn a_peer_that_ends_is_noticed(stage: Arc<dyn Stage>) -> Observation {
    let (mut a, b) = Peer::pair(&stage).await;
    stage.crash("b").await;
    noticed(a.lost(b.id()).await)
}

pub(super) async fn a_reborn_peer_is_found_under_its_new_generation(stage: Arc<dyn Stage>) -> Observation {
    let (mut a, b) = Peer::pair(&stage).await;
    let old = b.id();
    stage.crash("b").await;
    a.lost(old).await;
    let mut b = Peer::open(&stage, silo("b", 2), Role::Silo).await;
    a.learn(b.id()).await;
    a.transport.forget(old, "it was reborn");
    a.reach(&mut b, "again").await;
    assert_eq!(a.transport.try_send(old, Lane::User, "late".into()), Err(SendError::NotConnected));
    Observation::Same
}

pub(super) async fn whoever_answers_in_anothers_place_is_not_taken_for_it(
    stage: Arc<dyn Stage>,
) -> Observation {
    let mut a = Peer::open(&stage, silo("a", 1), Role::Silo).await;
    let mut b = Peer::open(&stage, silo("b", 2), Role::Silo).await;
    let expected = silo("b", 1);
    a.learn(expected).await;
    a.send(expected, Lane::User, "for the first");
    a.lost(expected).await;
    let heard = b.next_within(Duration::from_secs(1)).await;
    assert!(!matches!(heard, Some(Incoming::Frame { .. })), "{heard:?}");
    Observation::Same
}

pub(super) async fn a_forgotten_peer_is_refused_and_told_why(stage: Arc<dyn Stage>) -> Observation {
    let (mut a, b) = Peer::pair(&stage).await;
    b.transport.forget(a.id(), "evicted in view 3");
    assert_eq!(b.transport.try_send(a.id(), Lane::User, "late".into()), Err(SendError::NotConnected));
    loop {
        match a.next().await {
            Incoming::Refused { peer, reason, dead } => {
                assert_eq!((peer, &*reason, dead), (b.id(), "evicted in view 3", true));
                return Observation::Same;
            }
            Incoming::LinkDown { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}
