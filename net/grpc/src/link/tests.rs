use super::*;
use crate::config::Limits;
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use quark_core::{Generation, SiloName};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

fn linked_peer() -> (Arc<Peer>, Arc<Link>, Writer) {
    let peer = Peer::new(SiloId::new(SiloName::new("b").expect("valid"), Generation(1)));
    let link = Link::new(Lane::User);
    let _ = peer.attach_accepted(&link, None);
    (peer.clone(), link.clone(), Writer::new(link, peer))
}

fn send(peer: &Peer, text: &'static str) {
    peer.try_send(Lane::User, Bytes::from_static(text.as_bytes()), &Limits::default()).expect("room");
}

fn written(writer: &mut Writer) -> Option<Option<Vec<Bytes>>> {
    writer.next().now_or_never().map(|batch| batch.map(|batch| batch.frames))
}

fn frames(texts: &[&'static str]) -> Option<Option<Vec<Bytes>>> {
    Some(Some(texts.iter().map(|text| Bytes::from_static(text.as_bytes())).collect()))
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_writer_yields_all_that_is_queued_at_once_and_then_waits() {
    let (peer, _, mut writer) = linked_peer();
    send(&peer, "1");
    send(&peer, "2");
    assert_eq!(written(&mut writer), frames(&["1", "2"]));
    assert_eq!(written(&mut writer), None);
}

#[test]
fn a_waiting_writer_is_woken_once_for_many_frames() {
    let (peer, _, mut writer) = linked_peer();
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(wakes.clone());
    for round in 1..=3 {
        assert!(writer.poll_next_unpin(&mut Context::from_waker(&waker)).is_pending());
        for _ in 0..10 {
            send(&peer, "x");
        }
        assert_eq!(wakes.0.load(Ordering::Relaxed), round);
        assert!(writer.poll_next_unpin(&mut Context::from_waker(&waker)).is_ready());
    }
}

#[test]
fn a_finishing_writer_hands_over_what_is_queued_and_ends() {
    let (peer, link, mut writer) = linked_peer();
    send(&peer, "last");
    link.finish();
    assert_eq!(written(&mut writer), frames(&["last"]));
    assert_eq!(written(&mut writer), Some(None));
    assert_eq!(written(&mut writer), Some(None));
}

#[test]
fn an_ended_writer_says_goodbye_once_and_nothing_else() {
    let (peer, link, mut writer) = linked_peer();
    send(&peer, "too late");
    let goodbye = Refusal { reason: "evicted".into(), dead: true, misdirected: false };
    link.end(Some(goodbye.clone()));
    link.end(None);
    link.finish();
    let batch = writer.next().now_or_never().expect("ready").expect("a goodbye");
    assert_eq!(batch, Batch { frames: vec![], goodbye: Some(goodbye) });
    assert_eq!(written(&mut writer), Some(None));
}

#[test]
fn an_ended_link_delivers_nothing_more() {
    let (_, link, _) = linked_peer();
    let from = SiloId::new(SiloName::new("b").expect("valid"), Generation(1));
    let inbound = Inbound::new(10, 1000);
    let received = || {
        let mut out = Vec::new();
        let _ = inbound.poll_take(&mut Context::from_waker(Waker::noop()), &mut out, 10);
        out.len()
    };
    assert!(deliver(&link, from, &inbound, vec![Bytes::new()]));
    assert_eq!(received(), 1);
    link.end(None);
    assert!(!deliver(&link, from, &inbound, vec![Bytes::new()]));
    assert_eq!(received(), 0);
}
