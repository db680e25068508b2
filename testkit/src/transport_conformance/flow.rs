//! Memory is bounded, and being full is an answer.

use super::peer::{Peer, number};
use super::{Observation, Stage};
use bytes::Bytes;
use quark_core::wire::Lane;
use quark_env::transport::{Incoming, SendError};
use std::sync::Arc;
use std::time::Duration;

const FRAME_BYTES: usize = 16 << 10;
/// More than any stage's queues, windows and socket buffers hold together.
const FRAMES_MAX: u64 = (64 << 20) / FRAME_BYTES as u64;

/// Sends until the lane stays full; how many frames were accepted.
async fn fill(a: &Peer, b: &Peer) -> u64 {
    let (mut accepted, mut refused) = (0_u64, 0);
    // Full, and nothing has moved since.
    while refused < 20 {
        assert!(accepted < FRAMES_MAX, "64 MiB were accepted for a reader that does not read");
        let mut frame = vec![0; FRAME_BYTES];
        frame[..8].copy_from_slice(&accepted.to_le_bytes());
        match a.transport.try_send(b.id(), Lane::User, Bytes::from(frame)) {
            Ok(()) => (accepted, refused) = (accepted + 1, 0),
            Err(SendError::Full) => {
                refused += 1;
                a.stage.sleep(Duration::from_millis(10)).await;
            }
            Err(error) => panic!("{error}"),
        }
    }
    accepted
}

pub(super) async fn a_reader_that_stops_is_an_answer_to_the_sender(stage: Arc<dyn Stage>) -> Observation {
    let (mut a, mut b) = Peer::pair(&stage).await;
    let accepted = fill(&a, &b).await;
    assert!(accepted > 0, "a frame always fits into an empty queue");
    for expected in 0..accepted {
        let (_, lane, frame) = b.frame().await;
        assert_eq!((lane, number(&frame)), (Lane::User, expected));
    }
    a.meet(&mut b).await;
    Observation::Same
}

pub(super) async fn a_full_user_lane_lets_control_frames_pass(stage: Arc<dyn Stage>) -> Observation {
    let (a, mut b) = Peer::pair(&stage).await;
    let accepted = fill(&a, &b).await;
    a.send(b.id(), Lane::Control, "heartbeat");
    stage.sleep(Duration::from_millis(300)).await;
    let mut before = 0;
    loop {
        match b.next().await {
            Incoming::Frame { lane: Lane::Control, bytes, .. } => {
                assert_eq!(bytes, "heartbeat");
                break;
            }
            Incoming::Frame { lane: Lane::User, .. } => before += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(before, 0, "of {accepted} user frames, these came first");
    Observation::Same
}
