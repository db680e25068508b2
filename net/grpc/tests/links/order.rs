//! Order under load: several threads, several senders, links that are cut.

use crate::harness::{Node, Relay, silo, within};
use bytes::Bytes;
use quark_core::wire::Lane;
use quark_env::Transport;
use quark_env::transport::{Incoming, SendError};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// No frame ever arrives before one that was sent earlier, nor twice, also when links are cut under it: the old link's
/// last frames do not come after the new link's first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_never_overtake_one_another_across_cuts() {
    let (a, mut b) = (Node::silo("a", 1), Node::silo("b", 1));
    let relay = Relay::to(b.address()).await;
    a.transport.learn(b.id(), &relay.address);
    let done = Arc::new(AtomicBool::new(false));
    let senders: Vec<_> = [Lane::Control, Lane::User]
        .map(|lane| {
            let (transport, to, done) = (a.transport.clone(), b.id(), done.clone());
            tokio::spawn(async move {
                let mut number: u64 = 0;
                while !done.load(Ordering::Relaxed) {
                    match transport.try_send(to, lane, Bytes::copy_from_slice(&number.to_le_bytes())) {
                        Ok(()) => number += 1,
                        Err(SendError::Full) => {}
                        Err(error) => panic!("{error}"),
                    }
                    if number.is_multiple_of(64) {
                        tokio::task::yield_now().await;
                    }
                }
            })
        })
        .into();
    let mut next = [0; 2];
    let mut cuts = 0;
    let mut arrived = 0;
    while cuts < 8 {
        match b.next().await {
            Incoming::Frame { from, lane, bytes } => {
                assert_eq!(from, silo("a", 1));
                let number = u64::from_le_bytes(bytes[..].try_into().expect("eight bytes"));
                let expected = &mut next[lane as usize];
                assert!(number >= *expected, "{lane:?}: {number} came after {}", *expected - 1);
                *expected = number + 1;
                arrived += 1;
            }
            Incoming::LinkDown { .. } => {}
            other => panic!("{other:?}"),
        }
        if arrived == 2_000 {
            relay.cut();
            (arrived, cuts) = (0, cuts + 1);
        }
    }
    done.store(true, Ordering::Relaxed);
    for sender in senders {
        within(sender).await.expect("no panic");
    }
}

/// Each of many threads sees its own frames in order, and every accepted frame arrives.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_of_many_senders_all_arrive_each_senders_in_order() {
    const SENDERS: usize = 4;
    const FRAMES: u32 = 20_000;
    let (a, mut b) = (Node::silo("a", 1), Node::silo("b", 1));
    a.learn(&b);
    for sender in 0..SENDERS {
        let (transport, to) = (a.transport.clone(), b.id());
        tokio::spawn(async move {
            let mut number: u32 = 0;
            while number < FRAMES {
                let mut frame = vec![sender as u8];
                frame.extend(number.to_le_bytes());
                match transport.try_send(to, Lane::User, frame.into()) {
                    Ok(()) => number += 1,
                    Err(SendError::Full) => tokio::task::yield_now().await,
                    Err(error) => panic!("{error}"),
                }
            }
        });
    }
    let mut next = [0; SENDERS];
    while next != [FRAMES; SENDERS] {
        match b.next().await {
            Incoming::Frame { bytes, .. } => {
                let number = u32::from_le_bytes(bytes[1..].try_into().expect("four bytes"));
                assert_eq!(number, next[bytes[0] as usize], "sender {}", bytes[0]);
                next[bytes[0] as usize] += 1;
            }
            other => panic!("{other:?}"),
        }
    }
}
