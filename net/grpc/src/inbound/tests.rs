use super::*;
use futures_util::FutureExt;
use futures_util::task::noop_waker;
use quark_core::{Generation, SiloName};

fn peer() -> SiloId {
    SiloId::new(SiloName::new("b").expect("valid"), Generation(1))
}

fn batch(texts: &[&'static str]) -> Vec<Bytes> {
    texts.iter().map(|text| Bytes::from_static(text.as_bytes())).collect()
}

fn take(inbound: &Inbound, max: usize) -> Poll<Vec<String>> {
    let mut out = Vec::new();
    inbound.poll_take(&mut Context::from_waker(&noop_waker()), &mut out, max).map(|taken| {
        assert_eq!(taken, out.len());
        out.into_iter()
            .map(|incoming| match incoming {
                Incoming::Frame { bytes, .. } => String::from_utf8(bytes.to_vec()).expect("text"),
                Incoming::LinkDown { .. } => "down".into(),
                Incoming::Refused { .. } => "refused".into(),
            })
            .collect()
    })
}

fn ready(texts: &[&str]) -> Poll<Vec<String>> {
    Poll::Ready(texts.iter().map(|text| (*text).to_owned()).collect())
}

#[test]
fn control_is_taken_before_user_frames_that_came_earlier() {
    let inbound = Inbound::new(10, 1000);
    inbound.put(peer(), Lane::User, batch(&["u1", "u2"]));
    inbound.put(peer(), Lane::Control, batch(&["c1"]));
    assert_eq!(take(&inbound, 10), ready(&["c1", "u1", "u2"]));
    assert_eq!(take(&inbound, 10), Poll::Pending);
}

#[test]
fn a_batch_may_be_taken_in_parts_and_events_keep_their_place() {
    let inbound = Inbound::new(10, 1000);
    inbound.put(peer(), Lane::User, batch(&["1", "2", "3"]));
    inbound.put_event(Lane::User, Incoming::LinkDown { peer: peer() });
    inbound.put(peer(), Lane::User, batch(&["4"]));
    assert_eq!(take(&inbound, 2), ready(&["1", "2"]));
    assert_eq!(take(&inbound, 2), ready(&["3", "down"]));
    assert_eq!(take(&inbound, 2), ready(&["4"]));
}

#[test]
fn a_full_lane_makes_its_readers_wait_and_no_others() {
    let inbound = Inbound::new(2, 1000);
    inbound.put(peer(), Lane::User, batch(&["1", "2"]));
    assert_eq!(inbound.room(Lane::Control).now_or_never(), Some(()));
    let mut waiting = Box::pin(inbound.room(Lane::User));
    assert_eq!(waiting.as_mut().now_or_never(), None);
    assert_eq!(take(&inbound, 1), ready(&["1"]));
    assert_eq!(waiting.now_or_never(), Some(()), "half empty is room enough");
}

#[test]
fn bytes_count_as_well_as_frames() {
    let inbound = Inbound::new(100, 4);
    inbound.put(peer(), Lane::User, batch(&["1234"]));
    let mut waiting = Box::pin(inbound.room(Lane::User));
    assert_eq!(waiting.as_mut().now_or_never(), None);
    assert_eq!(take(&inbound, 100), ready(&["1234"]));
    assert_eq!(waiting.now_or_never(), Some(()));
}

#[test]
fn closing_frees_the_readers_and_ends_the_consumer_after_what_was_in() {
    let inbound = Inbound::new(1, 1000);
    inbound.put(peer(), Lane::User, batch(&["last"]));
    let mut waiting = Box::pin(inbound.room(Lane::User));
    assert_eq!(waiting.as_mut().now_or_never(), None);
    inbound.close();
    assert_eq!(waiting.now_or_never(), Some(()));
    inbound.put(peer(), Lane::User, batch(&["too late"]));
    assert_eq!(take(&inbound, 10), ready(&["last"]));
    assert_eq!(take(&inbound, 10), ready(&[]));
}
