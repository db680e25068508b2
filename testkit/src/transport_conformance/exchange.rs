//! Frames pass.

use super::peer::{Peer, number, numbered, silo, within};
use super::{Observation, Role, Stage};
use quark_core::wire::Lane;
use quark_env::transport::{Incoming, SendError};
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

pub(super) async fn frames_pass_both_ways_in_both_lanes(stage: Arc<dyn Stage>) -> Observation {
    let (mut a, mut b) = Peer::pair(&stage).await;
    for _ in 0..10 {
        a.meet(&mut b).await;
        b.meet(&mut a).await;
    }
    Observation::Same
}

pub(super) async fn a_lane_keeps_the_order_in_which_it_was_sent(stage: Arc<dyn Stage>) -> Observation {
    const FRAMES: u64 = 2000;
    let (a, mut b) = Peer::pair(&stage).await;
    let (mut sent, mut next) = (0, [0, 1]);
    while next != [FRAMES, FRAMES + 1] {
        // A few hundred at a time, so that they fit in any queue.
        while sent < FRAMES && sent < next[0].min(next[1]) + 500 {
            a.send(b.id(), lane_of(sent), numbered(sent));
            sent += 1;
        }
        let (_, lane, frame) = b.frame().await;
        assert_eq!(number(&frame), next[lane as usize], "in {lane:?}");
        next[lane as usize] += 2;
    }
    Observation::Same
}

fn lane_of(number: u64) -> Lane {
    if number.is_multiple_of(2) { Lane::Control } else { Lane::User }
}

pub(super) async fn a_client_is_answered_on_the_link_that_it_dialled(stage: Arc<dyn Stage>) -> Observation {
    let mut b = Peer::open(&stage, silo("b", 1), Role::Silo).await;
    let mut client = Peer::open(&stage, silo("client", 1), Role::Client).await;
    client.learn(b.id()).await;
    client.meet(&mut b).await;
    b.meet(&mut client).await;
    Observation::Same
}

pub(super) async fn a_peer_nobody_heard_of_cannot_be_sent_to(stage: Arc<dyn Stage>) -> Observation {
    let (a, _b) = Peer::pair(&stage).await;
    for stranger in [silo("stranger", 1), silo("b", 2)] {
        let refused = a.transport.try_send(stranger, Lane::User, numbered(1));
        assert_eq!(refused, Err(SendError::NotConnected), "{stranger}");
    }
    Observation::Same
}

pub(super) async fn a_receive_that_is_given_up_loses_nothing(stage: Arc<dyn Stage>) -> Observation {
    let (a, mut b) = Peer::pair(&stage).await;
    for round in 0..20 {
        // Waits for nothing, and is dropped while a frame is on its way to it.
        let mut out = Vec::new();
        a.send(b.id(), Lane::User, numbered(round));
        let receive = poll_fn(|cx| b.transport.poll_recv(cx, &mut out, 1));
        let taken = within(&*stage, Duration::from_micros(round * 100), receive).await;
        let arrival = match taken {
            Some(_) => out.pop().expect("one was taken"),
            None => b.next().await,
        };
        let Incoming::Frame { bytes, .. } = arrival else { panic!("{arrival:?}") };
        assert_eq!(number(&bytes), round);
    }
    Observation::Same
}
