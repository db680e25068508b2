use super::*;
use crate::{SiloId, SiloName};
use proptest::prelude::*;

fn full() -> Envelope {
    let actor = |kind, key| ActorId::new(kind, key).expect("valid");
    Envelope {
        call: CallId { slot: 7, serial: 0x0102_0304 },
        to_generation: Generation(3),
        origin: Some(SiloId::new(SiloName::new("a.1").expect("valid"), Generation(300))),
        view: ViewVersion(9),
        epoch: Epoch(2),
        deadline: Some(Duration::from_nanos(1000)),
        hops: 1,
        actor: Some(ActorId::of_tenant("t", "account", "alice").expect("valid")),
        method: MethodId(0xAABB_CCDD),
        outcome: 5,
        chain: vec![actor("order", "1")],
        idempotency: Some(IdempotencyKey::new(1)),
        order: Some((5, 6)),
        after: Some(4),
        registration: Some((ViewVersion(4), 1)),
        headers: vec![("k".into(), "v".into())],
        ..Envelope::new(Kind::Request, Bytes::from_static(b"hi"))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Puts a right checksum behind content, as a hostile peer would.
fn sealed(content: &[u8]) -> Bytes {
    let mut frame = content.to_vec();
    frame.extend_from_slice(&crc32c::crc32c(content).to_le_bytes());
    frame.into()
}

fn decode(frame: Bytes) -> Result<Envelope, DecodeError> {
    Envelope::decode(frame, &Limits::default())
}

#[test]
fn the_layout_has_not_moved() {
    let smallest = Envelope::new(Kind::Reply, Bytes::new()).encode(&Limits::default()).expect("fits");
    assert_eq!(
        hex(&smallest),
        "01020000000000000000000000000000000000000000000000".to_owned() + SMALLEST_CRC
    );
    let frame = full().encode(&Limits::default()).expect("fits");
    let content = concat!(
        "01017f0105ddccbbaa070000000403020100000000", // version, kind, flags, hops, outcome, method, call
        "030902",                                     // generation, view, epoch
        "03612e31ac02",                               // origin a.1#300
        "e807",                                       // deadline
        "0107057461",                                 // actor: one, seven and five bytes of t, account, alice
        "63636f756e74616c696365",
        "010005016f7264657231",             // one actor in the chain: order/1
        "01000000000000000000000000000000", // idempotency key
        "070506040104",                     // order, registration, and what to wait for
        "01016b0176",                       // one header
        "026869",                           // payload
    );
    assert_eq!(hex(&frame), content.to_owned() + FULL_CRC);
    assert_eq!(decode(frame).expect("valid"), full());
}

// Computed bit by bit from the polynomial, not by the crate that the code uses.
const SMALLEST_CRC: &str = "f087f642";
const FULL_CRC: &str = "10c69ad7";

#[test]
fn encoding_refuses_what_decoding_would() {
    let limits =
        Limits { payload_bytes_max: 2, chain_max: 1, headers_max: 1, header_bytes_max: 1, hops_max: 1 };
    assert!(full().encode(&limits).is_ok());
    let refused = |change: fn(&mut Envelope), expected: &str| {
        let mut envelope = full();
        change(&mut envelope);
        let EncodeError::TooLarge { what, .. } = envelope.encode(&limits).expect_err(expected);
        assert_eq!(what, expected);
        let wide =
            Limits { payload_bytes_max: 9, chain_max: 9, headers_max: 9, header_bytes_max: 9, hops_max: 9 };
        let frame = envelope.encode(&wide).expect("fits the wider limits");
        match Envelope::decode(frame, &limits) {
            Err(DecodeError::TooLarge { what, .. }) => assert_eq!(what, expected),
            other => panic!("{other:?}"),
        }
    };
    refused(|e| e.payload = Bytes::from_static(b"123"), "payload");
    refused(|e| e.chain.push(e.chain[0].clone()), "call chain");
    refused(|e| e.headers.push(e.headers[0].clone()), "header list");
    refused(|e| e.headers[0].0.push('x'), "header key");
    refused(|e| e.headers[0].1.push('x'), "header value");
    refused(|e| e.hops = 2, "hop count");
}

#[test]
fn a_hostile_frame_with_a_right_checksum_is_refused_by_name() {
    let frame = full().encode(&Limits::default()).expect("fits");
    let content = &frame[..frame.len() - 4];
    let with = |at: usize, bytes: &[u8]| {
        let mut content = content.to_vec();
        content.splice(at..at + bytes.len(), bytes.iter().copied());
        decode(sealed(&content)).expect_err("hostile")
    };
    assert_eq!(with(0, &[2]), DecodeError::Version { expected: 1, found: 2 });
    assert_eq!(with(1, &[8]), DecodeError::Kind { found: 8 });
    assert_eq!(with(1, &[0]), DecodeError::Kind { found: 0 });
    assert_eq!(with(2, &[0xFF]), DecodeError::Flags { found: 0xFF, known: 0x7F });
    assert_eq!(with(21, &[0x80, 0x00]), DecodeError::Varint { what: "generation" });
    assert_eq!(with(21, &[0xFF; 10]), DecodeError::Varint { what: "generation" });
    assert!(matches!(with(24, &[0]), DecodeError::Origin(_)));
    assert_eq!(with(25, &[0xFF]), DecodeError::Utf8 { what: "origin" });
    assert!(matches!(with(36, b"T"), DecodeError::Actor(_)));
    assert!(matches!(with(32, &[64, 64]), DecodeError::Truncated { what: "actor", needed: 133, .. }));
    let mut trailing = content.to_vec();
    trailing.push(0);
    assert_eq!(decode(sealed(&trailing)), Err(DecodeError::Trailing { bytes: 1 }));
    assert_eq!(decode(Bytes::new()), Err(DecodeError::Truncated { what: "version", needed: 1, found: 0 }));
    // A chain flag with no chain behind it.
    let mut empty =
        Envelope::new(Kind::Request, Bytes::new()).encode(&Limits::default()).expect("fits").to_vec();
    empty.truncate(empty.len() - 4);
    empty[2] = layout::CHAIN;
    empty.push(0);
    assert_eq!(decode(sealed(&empty)), Err(DecodeError::Empty { what: "call chain" }));
    // A payload of 2^63 bytes in a frame of 35.
    empty[2] = 0;
    empty.truncate(layout::HEAD_BYTES + 3);
    encode::put_varint(&mut empty, 1 << 63);
    assert!(matches!(decode(sealed(&empty)), Err(DecodeError::TooLarge { what: "payload", .. })));
}

#[test]
fn the_payload_is_a_slice_of_the_frame() {
    let frame = full().encode(&Limits::default()).expect("fits");
    let within = frame.as_ptr_range();
    let decoded = decode(frame.clone()).expect("valid");
    assert!(within.contains(&decoded.payload.as_ptr()));
}

#[test]
fn a_deadline_beyond_the_range_is_cut() {
    let envelope = Envelope { deadline: Some(Duration::MAX), ..Envelope::new(Kind::Request, Bytes::new()) };
    let decoded = decode(envelope.encode(&Limits::default()).expect("fits")).expect("valid");
    assert_eq!(decoded.deadline, Some(Duration::from_nanos(u64::MAX)));
}

#[test]
fn a_varint_knows_its_size() {
    for shift in 0..64 {
        for value in [1u64 << shift, (1 << shift) - 1, u64::MAX >> shift] {
            let mut out = Vec::new();
            encode::put_varint(&mut out, value);
            assert_eq!(out.len(), layout::varint_bytes(value), "{value}");
        }
    }
}

fn actors() -> impl Strategy<Value = ActorId> {
    ("[a-z0-9._-]{0,8}", "[a-z0-9._-]{1,12}", ".{0,20}")
        .prop_map(|(tenant, kind, key)| ActorId::of_tenant(&tenant, &kind, &key).expect("valid"))
}

fn silos() -> impl Strategy<Value = SiloId> {
    ("[a-z0-9._-]{1,31}", any::<u64>())
        .prop_map(|(name, g)| SiloId::new(SiloName::new(&name).expect("valid"), Generation(g)))
}

fn numbers() -> impl Strategy<Value = u64> {
    prop_oneof![0..300u64, any::<u64>()]
}

fn envelopes() -> impl Strategy<Value = Envelope> {
    let head = (1..=7u8, any::<u32>(), any::<u64>(), 0..=4u8, any::<u32>(), any::<u8>());
    let numbers =
        (numbers(), numbers(), numbers(), prop::option::of(any::<u64>()), prop::option::of(any::<u128>()));
    let names = (
        (
            prop::option::of(silos()),
            prop::option::of(any::<(u64, u64)>()),
            prop::option::of(any::<(u64, u64)>()),
            prop::option::of(any::<u64>()),
        ),
        prop::option::of(actors()),
        prop::collection::vec(actors(), 0..4),
        prop::collection::vec((".{0,8}", ".{0,8}"), 0..4),
    );
    (head, numbers, names, prop::collection::vec(any::<u8>(), 0..300)).prop_map(
        |((kind, slot, serial, hops, method, outcome), (g, v, e, deadline, key), names, payload)| {
            let ((origin, order, registration, after), actor, chain, headers) = names;
            Envelope {
                kind: layout::kind_of(kind).expect("1 to 7"),
                call: CallId { slot, serial },
                to_generation: Generation(g),
                origin,
                view: ViewVersion(v),
                epoch: Epoch(e),
                deadline: deadline.map(Duration::from_nanos),
                hops,
                actor,
                method: MethodId(method),
                outcome,
                chain,
                idempotency: key.map(IdempotencyKey::new),
                order,
                after,
                registration: registration.map(|(view, serial)| (ViewVersion(view), serial)),
                headers,
                payload: payload.into(),
            }
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_is_read(envelope in envelopes()) {
        let frame = envelope.encode(&Limits::default()).expect("fits");
        prop_assert!(frame.len() <= Limits::default().frame_bytes_max());
        prop_assert_eq!(decode(frame).expect("valid"), envelope);
    }

    #[test]
    fn arbitrary_bytes_never_panic(content in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(content.clone().into());
        let _ = decode(sealed(&content));
        let mut versioned = content;
        versioned.insert(0, layout::VERSION);
        let _ = decode(sealed(&versioned));
    }

    /// Resealed mutations reach past the checksum; what is still accepted has exactly one encoding.
    #[test]
    fn a_mutated_frame_never_panics_and_what_is_accepted_is_canonical(
        envelope in envelopes(),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3u8), 1..4),
    ) {
        let frame = envelope.encode(&Limits::default()).expect("fits");
        let mut content = frame[..frame.len() - 4].to_vec();
        for (at, byte, what) in cuts {
            let at = at.index(content.len());
            match what {
                0 => content[at] = byte,
                1 => content.insert(at, byte),
                _ => content.truncate(at.max(1)),
            }
        }
        let frame = sealed(&content);
        if let Ok(decoded) = decode(frame.clone()) {
            prop_assert_eq!(decoded.encode(&Limits::default()).expect("within limits"), frame);
        }
    }

    #[test]
    fn a_single_changed_byte_is_refused(envelope in envelopes(), at: prop::sample::Index, flip in 1..=255u8) {
        let mut frame = envelope.encode(&Limits::default()).expect("fits").to_vec();
        let at = at.index(frame.len());
        frame[at] ^= flip;
        prop_assert!(decode(frame.into()).is_err());
    }

    #[test]
    fn a_truncated_frame_is_refused(envelope in envelopes(), at: prop::sample::Index) {
        let frame = envelope.encode(&Limits::default()).expect("fits");
        prop_assert!(decode(frame.slice(..at.index(frame.len()))).is_err());
    }
}
