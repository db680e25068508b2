//! What several test binaries need.
#![allow(dead_code, reason = "each test binary uses its own part of this")]

use bytes::Bytes;
use quark_core::wire::Lane;
use quark_core::{Generation, SiloId, SiloName};
use quark_env::Env;
use quark_env::transport::Incoming;
use std::future::poll_fn;

pub fn silo(name: &str, generation: u64) -> SiloId {
    SiloId::new(SiloName::new(name).expect("a valid name"), Generation(generation))
}

/// Waits for at least one arrival.
pub async fn recv(env: &Env) -> Vec<Incoming> {
    let mut out = Vec::new();
    poll_fn(|cx| env.transport.poll_recv(cx, &mut out, 64)).await;
    out
}

/// Answers every frame with the same frame, on the lane it came by.
pub async fn echo(env: Env) {
    loop {
        let arrivals = recv(&env).await;
        if arrivals.is_empty() {
            return;
        }
        for arrival in arrivals {
            if let Incoming::Frame { from, lane, bytes } = arrival {
                // maybe: the asker is gone or its buffer full; it will ask again.
                let _ = env.transport.try_send(from, lane, bytes);
            }
        }
    }
}

/// A frame that carries a number.
pub fn frame(number: u64) -> Bytes {
    Bytes::copy_from_slice(&number.to_le_bytes())
}

pub fn number(bytes: &Bytes) -> u64 {
    bytes.as_ref().try_into().map_or(u64::MAX, u64::from_le_bytes)
}

/// Numbers of the user frames among the arrivals.
pub fn numbers(arrivals: &[Incoming]) -> Vec<u64> {
    let user = |arrival: &Incoming| match arrival {
        Incoming::Frame { lane: Lane::User, bytes, .. } => Some(number(bytes)),
        _ => None,
    };
    arrivals.iter().filter_map(user).collect()
}
