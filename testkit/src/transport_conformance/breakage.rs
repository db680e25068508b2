//! The network misbehaves, and gets better.

use super::peer::{Peer, noticed, number, numbered};
use super::{Observation, Stage};
use quark_core::wire::Lane;
use quark_env::transport::Incoming;
use std::sync::Arc;
use std::time::Duration;

/// Shorter than any silence that ends a link.
const BRIEF: Duration = Duration::from_millis(400);
/// Longer than any silence that a link survives.
const LASTING: Duration = Duration::from_secs(6);

pub(super) async fn a_network_that_holds_frames_back_loses_none(stage: Arc<dyn Stage>) -> Observation {
    let (mut a, mut b) = Peer::pair(&stage).await;
    stage.hold("a", "b");
    for number in 0..50 {
        a.send(b.id(), Lane::User, numbered(number));
    }
    assert_eq!(b.next_within(BRIEF).await, None, "it was held");
    stage.release("a", "b");
    for expected in 0..50 {
        assert_eq!(number(&b.frame().await.2), expected);
    }
    a.meet(&mut b).await;
    Observation::Late
}

pub(super) async fn a_short_cut_reorders_and_repeats_nothing(stage: Arc<dyn Stage>) -> Observation {
    const DURING: u64 = 10;
    const LAST: u64 = 1000;
    let (mut a, mut b) = Peer::pair(&stage).await;
    stage.cut("a", "b");
    stage.cut("b", "a");
    for number in 0..DURING {
        a.send(b.id(), Lane::User, numbered(number));
        stage.sleep(BRIEF / DURING as u32).await;
    }
    stage.mend("a", "b");
    let mut order = InOrder::default();
    let (mut number, mut was_told) = (DURING, false);
    while order.newest < Some(LAST) {
        number = if number + 1 < LAST { number + 1 } else { LAST + number };
        let _ = a.transport.try_send(b.id(), Lane::User, numbered(number)); // maybe: the link is down
        while let Some(heard) = b.next_within(Duration::from_millis(5)).await {
            order.heard(&heard);
        }
        while let Some(heard) = a.next_within(Duration::ZERO).await {
            was_told |= heard == Incoming::LinkDown { peer: b.id() };
        }
    }
    match (order.count_below(DURING) == DURING as usize, was_told) {
        (true, _) => Observation::Late,
        (false, true) => Observation::LostAndSaid,
        (false, false) => Observation::LostUnsaid,
    }
}

pub(super) async fn a_peer_that_falls_silent_is_noticed(stage: Arc<dyn Stage>) -> Observation {
    let (mut a, b) = Peer::pair(&stage).await;
    stage.cut("a", "b");
    stage.cut("b", "a");
    noticed(a.lost(b.id()).await)
}

pub(super) async fn a_link_that_is_dead_one_way_is_noticed_at_both_ends(
    stage: Arc<dyn Stage>,
) -> Observation {
    let (mut a, mut b) = Peer::pair(&stage).await;
    stage.cut("a", "b");
    let sender = a.lost(b.id()).await;
    b.lost(a.id()).await;
    noticed(sender)
}

pub(super) async fn after_a_long_cut_peers_link_again_by_themselves(stage: Arc<dyn Stage>) -> Observation {
    let (mut a, mut b) = Peer::pair(&stage).await;
    stage.cut("a", "b");
    stage.cut("b", "a");
    stage.sleep(LASTING).await;
    stage.mend("a", "b");
    a.reach(&mut b, "there you are").await;
    b.reach(&mut a, "and you").await;
    Observation::Same
}

pub(super) async fn cut_after_cut_nothing_is_reordered_or_repeated(stage: Arc<dyn Stage>) -> Observation {
    let (mut a, mut b) = Peer::pair(&stage).await;
    let mut order = InOrder::default();
    let mut number = 0;
    for round in 0..4 {
        let lasts = if round % 2 == 0 { LASTING } else { BRIEF };
        let (cut_from, cut_until) = (stage.elapsed() + BRIEF, stage.elapsed() + BRIEF + lasts);
        let (mut is_cut, mut before) = (false, order.newest);
        // Until something that was sent after the cut has arrived.
        loop {
            let now = stage.elapsed();
            if !is_cut && now >= cut_from && now < cut_until {
                stage.cut("a", "b");
                is_cut = true;
            }
            if is_cut && now >= cut_until {
                stage.mend("a", "b");
                (is_cut, before) = (false, Some(number));
            }
            let _ = a.transport.try_send(b.id(), Lane::User, numbered(number)); // maybe: the link is down
            number += 1;
            while let Some(heard) = b.next_within(Duration::from_millis(5)).await {
                order.heard(&heard);
            }
            while a.next_within(Duration::ZERO).await.is_some() {}
            if now >= cut_until && !is_cut && order.newest > before {
                break;
            }
        }
    }
    Observation::Same
}

/// Numbers as they arrive.
#[derive(Default)]
struct InOrder {
    newest: Option<u64>,
    all: Vec<u64>,
}

impl InOrder {
    fn heard(&mut self, heard: &Incoming) {
        let Incoming::Frame { bytes, .. } = heard else { return };
        let number = number(bytes);
        assert!(self.newest < Some(number), "{number} after {:?}", self.newest);
        self.newest = Some(number);
        self.all.push(number);
    }

    fn count_below(&self, limit: u64) -> usize {
        self.all.iter().filter(|number| **number < limit).count()
    }
}
