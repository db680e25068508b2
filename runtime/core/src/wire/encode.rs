//! Envelope to bytes: one pass for the exact size, one allocation, one pass to write.

use super::layout::{self, varint_bytes};
use super::{EncodeError, Envelope, Limits};
use crate::ActorId;
use bytes::Bytes;

impl Envelope {
    /// Writes the envelope as one frame, in one allocation of the exact size.
    ///
    /// Errors: [`EncodeError::TooLarge`] when a part exceeds `limits`; nothing was written.
    pub fn encode(&self, limits: &Limits) -> Result<Bytes, EncodeError> {
        self.check_limits(limits)?;
        let size = self.encoded_bytes();
        let mut out = Vec::with_capacity(size);
        self.put_head(&mut out);
        self.put_optional(&mut out);
        put_varint(&mut out, self.payload.len() as u64);
        out.extend_from_slice(&self.payload);
        let checksum = crc32c::crc32c(&out);
        out.extend_from_slice(&checksum.to_le_bytes());
        assert_eq!(out.len(), size, "the size that was computed is the size that was written");
        Ok(out.into())
    }

    fn check_limits(&self, limits: &Limits) -> Result<(), EncodeError> {
        let within = |what, size, limit| {
            if size > limit { Err(EncodeError::TooLarge { what, size, limit }) } else { Ok(()) }
        };
        within("payload", self.payload.len(), limits.payload_bytes_max)?;
        within("call chain", self.chain.len(), limits.chain_max)?;
        within("header list", self.headers.len(), limits.headers_max)?;
        within("hop count", self.hops as usize, limits.hops_max as usize)?;
        for (key, value) in &self.headers {
            within("header key", key.len(), limits.header_bytes_max)?;
            within("header value", value.len(), limits.header_bytes_max)?;
        }
        Ok(())
    }

    fn encoded_bytes(&self) -> usize {
        let text_bytes = |text: &str| varint_bytes(text.len() as u64) + text.len();
        let mut size = layout::HEAD_BYTES
            + varint_bytes(self.to_generation.0)
            + varint_bytes(self.view.0)
            + varint_bytes(self.epoch.0)
            + varint_bytes(self.payload.len() as u64)
            + self.payload.len()
            + layout::CHECKSUM_BYTES;
        if let Some(origin) = &self.origin {
            size += 1 + origin.name.as_str().len() + varint_bytes(origin.generation.0);
        }
        if let Some(nanos) = self.deadline_nanos() {
            size += varint_bytes(nanos);
        }
        if let Some(actor) = &self.actor {
            size += actor_bytes(actor);
        }
        if !self.chain.is_empty() {
            size += varint_bytes(self.chain.len() as u64);
            size += self.chain.iter().map(actor_bytes).sum::<usize>();
        }
        if self.idempotency.is_some() {
            size += 16;
        }
        if self.has_route() {
            size += 1;
        }
        for (first, second) in self.route() {
            size += varint_bytes(first) + varint_bytes(second);
        }
        if let Some(after) = self.after {
            size += varint_bytes(after);
        }
        if !self.headers.is_empty() {
            size += varint_bytes(self.headers.len() as u64);
            size +=
                self.headers.iter().map(|(key, value)| text_bytes(key) + text_bytes(value)).sum::<usize>();
        }
        size
    }

    fn put_head(&self, out: &mut Vec<u8>) {
        let mut flags = 0;
        let mut flag = |bit, is_set| flags |= if is_set { bit } else { 0 };
        flag(layout::ORIGIN, self.origin.is_some());
        flag(layout::DEADLINE, self.deadline.is_some());
        flag(layout::ACTOR, self.actor.is_some());
        flag(layout::CHAIN, !self.chain.is_empty());
        flag(layout::IDEMPOTENCY, self.idempotency.is_some());
        flag(layout::HEADERS, !self.headers.is_empty());
        flag(layout::ROUTE, self.has_route());

        let mut head = [0; layout::HEAD_BYTES];
        head[..5].copy_from_slice(&[layout::VERSION, self.kind as u8, flags, self.hops, self.outcome]);
        head[5..9].copy_from_slice(&self.method.0.to_le_bytes());
        head[9..13].copy_from_slice(&self.call.slot.to_le_bytes());
        head[13..21].copy_from_slice(&self.call.serial.to_le_bytes());
        out.extend_from_slice(&head);
        put_varint(out, self.to_generation.0);
        put_varint(out, self.view.0);
        put_varint(out, self.epoch.0);
    }

    fn put_optional(&self, out: &mut Vec<u8>) {
        if let Some(origin) = &self.origin {
            let name = origin.name.as_str();
            out.push(name.len() as u8);
            out.extend_from_slice(name.as_bytes());
            put_varint(out, origin.generation.0);
        }
        if let Some(nanos) = self.deadline_nanos() {
            put_varint(out, nanos);
        }
        if let Some(actor) = &self.actor {
            put_actor(out, actor);
        }
        if !self.chain.is_empty() {
            put_varint(out, self.chain.len() as u64);
            self.chain.iter().for_each(|actor| put_actor(out, actor));
        }
        if let Some(key) = &self.idempotency {
            out.extend_from_slice(&key.get().to_le_bytes());
        }
        if self.has_route() {
            out.push(
                if self.order.is_some() { layout::ROUTE_ORDER } else { 0 }
                    | if self.registration.is_some() { layout::ROUTE_REGISTRATION } else { 0 }
                    | if self.after.is_some() { layout::ROUTE_AFTER } else { 0 },
            );
        }
        for (first, second) in self.route() {
            put_varint(out, first);
            put_varint(out, second);
        }
        if let Some(after) = self.after {
            put_varint(out, after);
        }
        if !self.headers.is_empty() {
            put_varint(out, self.headers.len() as u64);
            for (key, value) in &self.headers {
                put_text(out, key);
                put_text(out, value);
            }
        }
    }

    #[inline]
    fn has_route(&self) -> bool {
        self.order.is_some() || self.registration.is_some() || self.after.is_some()
    }

    /// Order and registration, those that there are.
    #[inline]
    fn route(&self) -> impl Iterator<Item = (u64, u64)> {
        self.order.into_iter().chain(self.registration.map(|(view, serial)| (view.0, serial)))
    }

    #[inline]
    fn deadline_nanos(&self) -> Option<u64> {
        self.deadline.map(|left| u64::try_from(left.as_nanos()).unwrap_or(u64::MAX))
    }
}

fn actor_bytes(actor: &ActorId) -> usize {
    2 + varint_bytes(actor.key().len() as u64) + actor.text().len()
}

fn put_actor(out: &mut Vec<u8>, actor: &ActorId) {
    // Both names have at most ActorId::NAME_BYTES_MAX (64) bytes.
    out.push(actor.tenant().len() as u8);
    out.push(actor.kind().len() as u8);
    put_varint(out, actor.key().len() as u64);
    out.extend_from_slice(actor.text().as_bytes());
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put_varint(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

#[inline]
pub(super) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
