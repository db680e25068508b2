//! Short values, which most arguments and results are.
//!
//! Bytes that stand in a vector take a second allocation when they are first shared, and the arguments of every call are
//! shared once, with whoever may have to send them again. Those of a short value stand beside their count instead.

use super::{CodecError, malformed, options};
use bincode::Options;
use bytes::Bytes;
use serde::Serialize;

/// The longest value that is kept so.
const SMALL_MAX: usize = 40;

struct Small {
    bytes: [u8; SMALL_MAX],
    length: u8,
}

impl AsRef<[u8]> for Small {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

/// Writes a value that was measured, if it is short.
pub(super) fn encode<T: Serialize + ?Sized>(value: &T, measured: usize) -> Result<Option<Bytes>, CodecError> {
    if measured == 0 || measured > SMALL_MAX {
        return Ok(None);
    }
    let mut bytes = [0; SMALL_MAX];
    let mut rest = &mut bytes[..];
    match options().serialize_into(&mut rest, value) {
        Ok(()) => {}
        // maybe: longer than measured, from a `Serialize` that says something else the second time.
        Err(error) if matches!(*error, bincode::ErrorKind::Io(_)) => return Ok(None),
        Err(error) => return Err(malformed::<T>(&error)),
    }
    let length = (SMALL_MAX - rest.len()) as u8;
    Ok(Some(Bytes::from_owner(Small { bytes, length })))
}

#[cfg(test)]
mod tests {
    use crate::codec::{CodecLimits, decode, encode};

    #[test]
    fn a_value_is_the_same_bytes_on_either_side_of_the_limit() {
        for length in 0..100_usize {
            let text = "x".repeat(length);
            let bytes = encode(&text, 1000).expect("it fits");
            assert_eq!((bytes.len(), bytes[0]), (length + 1, length as u8));
            assert_eq!(decode::<String>(&bytes, CodecLimits::default()).as_ref(), Ok(&text));
        }
    }
}
