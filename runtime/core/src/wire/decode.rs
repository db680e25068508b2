//! Bytes to envelope. Every byte is hostile: nothing is trusted, nothing panics, limits come before allocation.

use super::layout;
use super::{CallId, DecodeError, Envelope, IdempotencyKey, Limits};
use crate::{ActorId, Epoch, Generation, MethodId, SiloId, SiloName, ViewVersion};
use bytes::{Buf, Bytes};
use std::time::Duration;

impl Envelope {
    /// Reads one frame. The payload is a slice of `frame`, not a copy.
    ///
    /// Order of checks: version (another version may have another trailer), length, checksum, then field by field.
    /// Errors: see [`DecodeError`]. Panics: never, whatever the bytes.
    pub fn decode(mut frame: Bytes, limits: &Limits) -> Result<Envelope, DecodeError> {
        let content = checked_content(&frame, limits)?;
        let mut reader = Reader { rest: content };

        let head: &[u8; layout::HEAD_BYTES] = reader.array("head")?;
        let [_, kind, flags, hops, outcome, ..] = *head;
        let kind = layout::kind_of(kind).ok_or(DecodeError::Kind { found: kind })?;
        if flags & !layout::FLAGS != 0 {
            return Err(DecodeError::Flags { found: flags, known: layout::FLAGS });
        }
        within("hop count", hops.into(), limits.hops_max.into())?;
        let has = |flag: u8| flags & flag != 0;

        let to_generation = Generation(reader.varint("generation")?);
        let view = ViewVersion(reader.varint("view version")?);
        let epoch = Epoch(reader.varint("epoch")?);
        let origin = if has(layout::ORIGIN) { Some(reader.silo()?) } else { None };
        let deadline = match has(layout::DEADLINE) {
            true => Some(Duration::from_nanos(reader.varint("deadline")?)),
            false => None,
        };
        let actor = if has(layout::ACTOR) { Some(reader.actor()?) } else { None };
        let chain = if has(layout::CHAIN) { reader.chain(limits)? } else { Vec::new() };
        let idempotency = match has(layout::IDEMPOTENCY) {
            true => Some(IdempotencyKey::new(u128::from_le_bytes(*reader.array("idempotency key")?))),
            false => None,
        };
        let (order, registration, after) =
            if has(layout::ROUTE) { reader.route()? } else { (None, None, None) };
        let headers = if has(layout::HEADERS) { reader.headers(limits)? } else { Vec::new() };

        let payload_bytes = reader.length("payload", limits.payload_bytes_max)?;
        let payload_at = content.len() - reader.rest.len();
        reader.take("payload", payload_bytes)?;
        if !reader.rest.is_empty() {
            return Err(DecodeError::Trailing { bytes: reader.rest.len() });
        }
        let call = CallId { slot: u32_at(head, 9), serial: u64_at(head, 13) };
        let method = MethodId(u32_at(head, 5));
        // The frame itself becomes the payload, which counts no reference up and none down. An empty payload must not
        // keep a large receive buffer alive.
        let payload = match payload_bytes {
            0 => Bytes::new(),
            _ => {
                frame.truncate(payload_at + payload_bytes);
                frame.advance(payload_at);
                frame
            }
        };
        Ok(Envelope {
            kind,
            call,
            to_generation,
            origin,
            view,
            epoch,
            deadline,
            hops,
            actor,
            method,
            outcome,
            chain,
            idempotency,
            order,
            after,
            registration,
            headers,
            payload,
        })
    }
}

/// The frame without its checksum, once version, length and checksum are right.
fn checked_content<'a>(frame: &'a [u8], limits: &Limits) -> Result<&'a [u8], DecodeError> {
    match frame.first() {
        Some(&layout::VERSION) => {}
        Some(&found) => return Err(DecodeError::Version { expected: layout::VERSION, found }),
        None => return Err(DecodeError::Truncated { what: "version", needed: 1, found: 0 }),
    }
    if frame.len() < layout::FRAME_BYTES_MIN {
        let needed = layout::FRAME_BYTES_MIN as u64;
        return Err(DecodeError::Truncated { what: "fixed fields", needed, found: frame.len() });
    }
    within("length", frame.len() as u64, limits.frame_bytes_max())?;
    let (content, checksum) =
        frame.split_last_chunk::<{ layout::CHECKSUM_BYTES }>().expect("the length was checked above");
    let (expected, found) = (crc32c::crc32c(content), u32::from_le_bytes(*checksum));
    if expected != found {
        crate::reached!("wire.checksum.refused");
        return Err(DecodeError::Checksum { expected, found });
    }
    Ok(content)
}

/// An order, a registration, and the place in the order to wait for.
type Route = (Option<(u64, u64)>, Option<(ViewVersion, u64)>, Option<u64>);

/// What is left to read.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    #[inline]
    fn take(&mut self, what: &'static str, bytes: usize) -> Result<&'a [u8], DecodeError> {
        let Some((taken, rest)) = self.rest.split_at_checked(bytes) else {
            return Err(DecodeError::Truncated { what, needed: bytes as u64, found: self.rest.len() });
        };
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    fn array<const N: usize>(&mut self, what: &'static str) -> Result<&'a [u8; N], DecodeError> {
        let Some((taken, rest)) = self.rest.split_first_chunk::<N>() else {
            return Err(DecodeError::Truncated { what, needed: N as u64, found: self.rest.len() });
        };
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    fn byte(&mut self, what: &'static str) -> Result<u8, DecodeError> {
        Ok(self.array::<1>(what)?[0])
    }

    #[inline]
    fn varint(&mut self, what: &'static str) -> Result<u64, DecodeError> {
        let mut value = 0;
        for at in 0..layout::VARINT_BYTES_MAX {
            let byte = self.byte(what)?;
            // The tenth byte has room for one bit; a last byte of zero could have been left out.
            if (at == 9 && byte > 1) || (at > 0 && byte == 0) {
                return Err(DecodeError::Varint { what });
            }
            value |= u64::from(byte & 0x7F) << (7 * at);
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(DecodeError::Varint { what })
    }

    /// A number that will size something: checked against its limit before anyone can use it.
    #[inline]
    fn length(&mut self, what: &'static str, limit: usize) -> Result<usize, DecodeError> {
        let length = self.varint(what)?;
        within(what, length, limit)?;
        Ok(length as usize)
    }

    fn count(&mut self, what: &'static str, limit: usize) -> Result<usize, DecodeError> {
        match self.length(what, limit)? {
            0 => Err(DecodeError::Empty { what }),
            count => Ok(count),
        }
    }

    fn text(&mut self, what: &'static str, bytes: usize) -> Result<&'a str, DecodeError> {
        std::str::from_utf8(self.take(what, bytes)?).map_err(|_| DecodeError::Utf8 { what })
    }

    fn silo(&mut self) -> Result<SiloId, DecodeError> {
        let length = self.byte("origin")?.into();
        let name = SiloName::new(self.text("origin", length)?)?;
        Ok(SiloId::new(name, Generation(self.varint("origin's generation")?)))
    }

    fn actor(&mut self) -> Result<ActorId, DecodeError> {
        let [tenant, kind] = self.array::<2>("actor")?.map(usize::from);
        let key = self.length("actor key", ActorId::KEY_BYTES_MAX)?;
        let text = self.text("actor", tenant + kind + key)?;
        Ok(ActorId::from_text(text, tenant, kind)?)
    }

    fn chain(&mut self, limits: &Limits) -> Result<Vec<ActorId>, DecodeError> {
        let count = self.count("call chain", limits.chain_max)?;
        let mut chain = Vec::with_capacity(count.min(self.rest.len()));
        for _ in 0..count {
            chain.push(self.actor()?);
        }
        Ok(chain)
    }

    fn route(&mut self) -> Result<Route, DecodeError> {
        let parts = self.byte("route")?;
        let known = layout::ROUTE_ORDER | layout::ROUTE_REGISTRATION | layout::ROUTE_AFTER;
        if parts & !known != 0 {
            return Err(DecodeError::Flags { found: parts, known });
        }
        if parts == 0 {
            return Err(DecodeError::Empty { what: "route" });
        }
        let order = match parts & layout::ROUTE_ORDER {
            0 => None,
            _ => Some((self.varint("order's sender")?, self.varint("order's serial")?)),
        };
        let registration = match parts & layout::ROUTE_REGISTRATION {
            0 => None,
            _ => Some((
                ViewVersion(self.varint("registration's view")?),
                self.varint("registration's serial")?,
            )),
        };
        let after = match parts & layout::ROUTE_AFTER {
            0 => None,
            _ => Some(self.varint("order's predecessor")?),
        };
        Ok((order, registration, after))
    }

    fn headers(&mut self, limits: &Limits) -> Result<Vec<(String, String)>, DecodeError> {
        let count = self.count("header list", limits.headers_max)?;
        let mut headers = Vec::with_capacity(count.min(self.rest.len()));
        for _ in 0..count {
            let length = self.length("header key", limits.header_bytes_max)?;
            let key = self.text("header key", length)?;
            let length = self.length("header value", limits.header_bytes_max)?;
            let value = self.text("header value", length)?;
            headers.push((key.to_owned(), value.to_owned()));
        }
        Ok(headers)
    }
}

#[inline]
fn within(what: &'static str, size: u64, limit: usize) -> Result<(), DecodeError> {
    if size > limit as u64 { Err(DecodeError::TooLarge { what, size, limit }) } else { Ok(()) }
}

fn u32_at(head: &[u8; layout::HEAD_BYTES], at: usize) -> u32 {
    u32::from_le_bytes(head[at..at + 4].try_into().expect("four bytes"))
}

fn u64_at(head: &[u8; layout::HEAD_BYTES], at: usize) -> u64 {
    u64::from_le_bytes(head[at..at + 8].try_into().expect("eight bytes"))
}
