//! The numbers of the layout, which encoder and decoder share.

use super::Kind;
use crate::ActorId;

/// The first byte of every frame that this version writes and reads.
pub(super) const VERSION: u8 = 1;

pub(super) const ORIGIN: u8 = 1;
pub(super) const DEADLINE: u8 = 2;
pub(super) const ACTOR: u8 = 4;
pub(super) const CHAIN: u8 = 8;
pub(super) const IDEMPOTENCY: u8 = 16;
pub(super) const HEADERS: u8 = 32;
/// A byte of [`ROUTE_ORDER`], [`ROUTE_REGISTRATION`] and [`ROUTE_AFTER`] follows, and what it announces.
pub(super) const ROUTE: u8 = 64;
pub(super) const ROUTE_ORDER: u8 = 1;
pub(super) const ROUTE_REGISTRATION: u8 = 2;
pub(super) const ROUTE_AFTER: u8 = 4;
/// Every flag that means something.
pub(super) const FLAGS: u8 = ORIGIN | DEADLINE | ACTOR | CHAIN | IDEMPOTENCY | HEADERS | ROUTE;

/// The longest varint of a 64-bit number.
pub(super) const VARINT_BYTES_MAX: usize = 10;
/// The crc32c at the end.
pub(super) const CHECKSUM_BYTES: usize = 4;
/// From the version to the call's serial.
pub(super) const HEAD_BYTES: usize = 1 + 1 + 1 + 1 + 1 + 4 + 4 + 8;
/// The least that a frame has: head, four one-byte varints, checksum.
pub(super) const FRAME_BYTES_MIN: usize = HEAD_BYTES + 4 + CHECKSUM_BYTES;
/// What a frame has at most besides optional fields and payload.
pub(super) const FIXED_BYTES: usize = HEAD_BYTES + 4 * VARINT_BYTES_MAX + CHECKSUM_BYTES;
/// The longest origin, deadline, idempotency key, route and two counts.
pub(super) const OPTIONAL_BYTES_MAX: usize =
    (1 + 31 + VARINT_BYTES_MAX) + VARINT_BYTES_MAX + 16 + (1 + 4 * VARINT_BYTES_MAX) + 2 * VARINT_BYTES_MAX;
/// The longest actor.
pub(super) const ACTOR_BYTES_MAX: usize = 4 + 2 * ActorId::NAME_BYTES_MAX + ActorId::KEY_BYTES_MAX;

/// How many bytes a number takes as a varint.
#[inline]
pub(super) const fn varint_bytes(value: u64) -> usize {
    // Seven bits a byte; zero takes one.
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

/// The kind of this number.
#[inline]
pub(super) const fn kind_of(number: u8) -> Option<Kind> {
    Some(match number {
        1 => Kind::Request,
        2 => Kind::Reply,
        3 => Kind::OneWay,
        4 => Kind::Ack,
        5 => Kind::Moved,
        6 => Kind::Control,
        7 => Kind::Cancel,
        _ => return None,
    })
}
