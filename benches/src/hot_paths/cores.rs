//! Cores, called as they are.

use bytes::Bytes;
use quark_core::hash::mix;
use quark_core::ring::Ring;
use quark_core::wheel::Wheel;
use quark_core::wire::{CallId, Envelope, Kind, Limits};
use quark_core::{ActorId, Epoch, Generation, Instant, MethodId, SiloId, SiloName, ViewVersion};
use std::hint::black_box;
use std::num::NonZeroU32;
use std::time::Duration;

/// Who owns an actor, on a ring too large for every point to have a bucket.
pub(super) fn ring_lookup(times: u64) {
    let silo =
        |n: u64| SiloId::new(SiloName::new(&format!("silo-{n}")).expect("a valid name"), Generation(1));
    let ring = Ring::build((0..SILOS).map(silo));
    let actors: Vec<ActorId> = (0..ACTORS).map(|n| actor("account", n)).collect();
    for number in 0..times {
        let actor = &actors[(number % ACTORS) as usize];
        black_box(black_box(&ring).owner(actor.point()));
    }
}

const SILOS: u64 = 1000;
const ACTORS: u64 = 1024;

fn actor(kind: &str, number: u64) -> ActorId {
    ActorId::new(kind, &format!("number-{number}")).expect("a valid id")
}

/// What a turn sends when it asks an actor of another silo.
fn request() -> Envelope {
    Envelope {
        call: CallId { slot: 7, serial: 123_456 },
        to_generation: Generation(3),
        view: ViewVersion(9),
        epoch: Epoch(2),
        deadline: Some(Duration::from_secs(29)),
        actor: Some(actor("account", 17)),
        method: MethodId(0xAABB_CCDD),
        chain: vec![actor("order", 4)],
        order: Some((5, 6)),
        ..Envelope::new(Kind::Request, Bytes::from(vec![7; 100]))
    }
}

/// A request to bytes.
pub(super) fn envelope_encode(times: u64) {
    let (envelope, limits) = (request(), Limits::default());
    for _ in 0..times {
        black_box(black_box(&envelope).encode(&limits).expect("it is within the limits"));
    }
}

/// Its bytes to a request.
pub(super) fn envelope_decode(times: u64) {
    let limits = Limits::default();
    let frame = request().encode(&limits).expect("it is within the limits");
    for _ in 0..times {
        black_box(Envelope::decode(black_box(&frame).clone(), &limits).expect("it was just encoded"));
    }
}

/// A millisecond of a wheel on which timers of up to nine seconds stand: one is set, and as many fire as are due.
pub(super) fn timer(times: u64) {
    let mut wheel = Wheel::new(Instant::ZERO);
    for number in 0..times {
        let now = Instant(number * 1_000_000);
        wheel.insert(Instant(now.0 + mix(number) % SPREAD_NS), NonZeroU32::MIN);
        black_box(wheel.next_deadline());
        wheel.advance(now, &mut |key, at, value| {
            black_box((key, at, value));
        });
    }
}

const SPREAD_NS: u64 = 9_000_000_000;
