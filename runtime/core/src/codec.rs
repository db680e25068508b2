//! Values to bytes and back: bincode behind limits.
//!
//! Fixed options, which are the format of every argument, result, control message and record, and never change:
//! variable-length integers (zigzag for signed ones), little endian, no bytes after the value. The format is not
//! self-describing: who reads must know the type, which the handshake's contract digest sees to.
//!
//! A byte limit alone does not stop a hostile value: some 20 KB of a recursive type overflow the stack, and a
//! `Vec<()>` of 2^60 elements fits in nine bytes and burns a core for years. So depth and elements are counted too, on
//! reading and, lest something be stored that cannot be read back, on writing.

mod limited;
mod measure;
mod small;
#[cfg(test)]
mod tests;

use bincode::Options;
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What encoding and decoding refuse.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CodecLimits {
    /// The most bytes of a value.
    pub bytes_max: usize,
    /// How deep a value may nest: structs, tuples, enums, options, lists and maps each count one.
    pub depth_max: usize,
    /// The most elements of all lists and maps of a value together. Strings and byte strings count as one value.
    pub elements_max: usize,
}

impl CodecLimits {
    /// The usual limits for values of at most `bytes_max` bytes: 128 deep, and an element a byte, which stops only
    /// elements that take no bytes.
    pub const fn of_bytes(bytes_max: usize) -> Self {
        Self { bytes_max, depth_max: DEPTH_MAX, elements_max: bytes_max }
    }
}

impl Default for CodecLimits {
    /// As [`CodecLimits::of_bytes`] with 4 MiB, the wire's longest payload.
    fn default() -> Self {
        Self::of_bytes(4 << 20)
    }
}

/// How deep a value may nest, unless a caller sets another limit.
pub const DEPTH_MAX: usize = 128;

/// A value that was not written or bytes that are no value. Nothing happened; trying again fails again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// Too many bytes.
    #[error("a value has {bytes} bytes or more, the limit is {limit}")]
    TooLarge {
        /// Its size, as far as it was measured.
        bytes: usize,
        /// The most allowed.
        limit: usize,
    },
    /// Nested too deep.
    #[error("a value nests deeper than the limit of {limit}")]
    TooDeep {
        /// The most allowed.
        limit: usize,
    },
    /// Too many elements.
    #[error("the lists and maps of a value have more elements than the limit of {limit}")]
    TooManyElements {
        /// The most allowed.
        limit: usize,
    },
    /// The bytes are no value of this type (or the value's own `Serialize` failed).
    #[error("a value of type {of} is malformed: {reason}")]
    Malformed {
        /// The type.
        of: &'static str,
        /// What the format says.
        reason: String,
    },
}

/// Writes a value, in one allocation of the exact size, within the usual limits for `bytes_max` bytes.
///
/// Errors: see [`CodecError`].
pub fn encode<T: Serialize + ?Sized>(value: &T, bytes_max: usize) -> Result<Bytes, CodecError> {
    encode_within(value, CodecLimits::of_bytes(bytes_max))
}

/// Writes a value within limits. See [`encode`].
pub fn encode_within<T: Serialize + ?Sized>(value: &T, limits: CodecLimits) -> Result<Bytes, CodecError> {
    let bytes = measure::measure(value, limits)?;
    if let Some(small) = small::encode(value, bytes)? {
        return Ok(small);
    }
    let mut out = Vec::with_capacity(bytes);
    options().serialize_into(&mut out, value).map_err(|error| malformed::<T>(&error))?;
    // maybe: another size than measured, from a `Serialize` that says something else the second time.
    if out.len() > limits.bytes_max {
        return Err(CodecError::TooLarge { bytes: out.len(), limit: limits.bytes_max });
    }
    Ok(out.into())
}

/// Reads a value from exactly these bytes.
///
/// Errors: see [`CodecError`]; the limits are checked before anything is allocated for the part that exceeds them.
/// Panics: never, whatever the bytes (unless the type's own `Deserialize` does).
pub fn decode<T: DeserializeOwned>(bytes: &[u8], limits: CodecLimits) -> Result<T, CodecError> {
    if bytes.len() > limits.bytes_max {
        return Err(CodecError::TooLarge { bytes: bytes.len(), limit: limits.bytes_max });
    }
    let mut budget = limited::Budget::new(limits);
    let seed = limited::Seed::<T>::new(&mut budget);
    let decoded = match crate::mutant!("m26") {
        true => options().allow_trailing_bytes().deserialize_seed(seed, bytes),
        false => options().deserialize_seed(seed, bytes),
    };
    decoded.map_err(|error| budget.refusal(limits).unwrap_or_else(|| malformed::<T>(&error)))
}

/// The format.
fn options() -> impl Options {
    bincode::DefaultOptions::new().with_varint_encoding().with_little_endian().reject_trailing_bytes()
}

#[cold]
fn malformed<T: ?Sized>(error: &bincode::Error) -> CodecError {
    CodecError::Malformed { of: std::any::type_name::<T>(), reason: error.to_string() }
}
