//! How an actor's state stands in the store: the version of its schema, then the state.
//!
//! ```text
//!   version 1      the state, as the codec writes it
//!   version n > 1  0xFF "qstate" 0xFF, n in 4 bytes (little endian), the state
//! ```
//! States were stored before there were versions, so what has no header has version 1, and what has version 1 gets none:
//! a cluster's databases and its silos of either age understand one another until a kind first says `version = 2`. A
//! state of version 1 that happens to begin as a header does is given one, so that every record written by this code
//! has one reading; of those written before, none can have begun so but on purpose.
//!
//! A row of its own for the version was rejected: a program that does not look at it would take a state of version 2 for
//! one of version 1. What such a program makes of a header is a malformed value, for no varint begins with 0xFF.

use crate::actor::Actor;
use crate::error::Failure;
use bytes::Bytes;
use quark_core::ActorId;
use quark_core::codec::{self, CodecError, CodecLimits};
use quark_env::store::VALUE_BYTES_MAX;
use serde::Serialize;

const MAGIC: [u8; 8] = *b"\xFFqstate\xFF";
const HEADER_BYTES: usize = MAGIC.len() + size_of::<u32>();
/// Up to what size a state that is too large is measured, for the error to name it.
const MEASURED_MAX: usize = 64 << 20;

/// Why a record is no state of a kind.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LoadError {
    /// A newer program wrote it.
    #[error("the state has version {stored} of its schema, this program knows up to {known}")]
    Newer {
        /// The version that it has.
        stored: u32,
        /// The newest that this program knows.
        known: u32,
    },
    /// It is broken.
    #[error(transparent)]
    Malformed(#[from] CodecError),
    /// The record of one of its slots is broken.
    #[error("the slot `{name}`: {error}")]
    Slot {
        /// Which.
        name: &'static str,
        /// What is wrong with it.
        error: CodecError,
    },
}

impl LoadError {
    pub(crate) fn into_failure(self, actor: &ActorId) -> Failure {
        let actor = actor.clone();
        match self {
            LoadError::Newer { stored, known } => Failure::NewerState { actor, slot: None, stored, known },
            broken @ (LoadError::Malformed(_) | LoadError::Slot { .. }) => {
                Failure::Corrupt { actor, reason: broken.to_string() }
            }
        }
    }
}

/// Reads a record as the silo does when it activates the actor: a state of an earlier version goes through the upgrades.
///
/// ```
/// use quark::{Actor, Deserialize, Serialize, stored::load_state};
///
/// #[derive(Deserialize)]
/// struct CounterV1 { count: u32 }
///
/// #[derive(Default, Serialize, Deserialize)]
/// struct Counter { count: u64, resets: u64 }
///
/// impl From<CounterV1> for Counter {
///     fn from(old: CounterV1) -> Self {
///         Counter { count: old.count.into(), resets: 0 }
///     }
/// }
///
/// #[quark::actor(kind = "counter", durable, version = 2, upgrades(CounterV1))]
/// impl Counter {
///     fn count(&self) -> u64 { self.count }
/// }
///
/// let counter: Counter = load_state(&[7]).expect("a record of version 1");
/// assert_eq!((counter.count, counter.resets), (7, 0));
/// let record = counter.encode_state().expect("it is small");
/// assert_eq!(quark::stored::open(&record).expect("it has a header"), (2, &[7, 0][..]));
/// ```
///
/// Errors: see [`LoadError`]. Panics: if an upgrade or the type's own `Deserialize` does.
pub fn load_state<A: Actor>(record: &[u8]) -> Result<A, LoadError> {
    let (stored, state) = open(record)?;
    let known = A::STATE_VERSION;
    if stored > known {
        return Err(LoadError::Newer { stored, known });
    }
    Ok(A::decode_state(stored, state)?)
}

/// The schema version of a record, and the state in it.
///
/// Errors: [`CodecError::Malformed`] for a header that is cut off or says version 0.
pub fn open(record: &[u8]) -> Result<(u32, &[u8]), CodecError> {
    if !record.starts_with(&MAGIC) {
        return Ok((1, record));
    }
    let malformed = |reason: String| CodecError::Malformed { of: "the header of an actor's state", reason };
    let Some((header, state)) = record.split_at_checked(HEADER_BYTES) else {
        return Err(malformed(format!("it has {} bytes of {HEADER_BYTES}", record.len())));
    };
    let version = header[MAGIC.len()..].try_into().expect("the rest of the header is four bytes");
    match u32::from_le_bytes(version) {
        0 => Err(malformed("there is no version 0".into())),
        version => Ok((version, state)),
    }
}

/// A record of this schema version. It fits the store.
///
/// Errors: see [`CodecError`]; one that is too large names its true size, up to 64 MiB.
pub fn seal<T: Serialize>(state: &T, version: u32) -> Result<Bytes, CodecError> {
    assert!(version > 0, "versions count from 1");
    if version == 1 {
        let record = encode(state)?;
        if !record.starts_with(&MAGIC) {
            return Ok(record);
        }
    }
    // Arrays and tuples add no bytes of their own.
    encode(&(MAGIC, version.to_le_bytes(), state))
}

fn encode<T: Serialize>(value: &T) -> Result<Bytes, CodecError> {
    match codec::encode(value, VALUE_BYTES_MAX) {
        Err(CodecError::TooLarge { bytes, limit }) => {
            let whole = CodecLimits { elements_max: usize::MAX, ..CodecLimits::of_bytes(MEASURED_MAX) };
            let bytes = match codec::encode_within(value, whole) {
                Ok(whole) => whole.len(),
                Err(CodecError::TooLarge { bytes, .. }) => bytes,
                Err(_) => bytes,
            };
            Err(CodecError::TooLarge { bytes, limit })
        }
        encoded => encoded,
    }
}

/// What a caller is told of a turn whose state, or what else it commits, cannot be encoded. Nothing of it happened.
pub(crate) fn cannot_be_stored(actor: &ActorId, what: &str, error: CodecError) -> Failure {
    let what = format!("{what} of {actor}");
    match error {
        CodecError::TooLarge { bytes, limit } => Failure::TooLarge { what, size: bytes, limit },
        CodecError::TooDeep { .. } | CodecError::TooManyElements { .. } | CodecError::Malformed { .. } => {
            Failure::Rejected { reason: format!("{what} cannot be stored: {error}") }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_version_1_is_what_was_stored_before_there_were_versions() {
        let state = (7_u64, "a".to_owned());
        let record = seal(&state, 1).expect("it is small");
        assert_eq!(record, codec::encode(&state, 1024).expect("it is small"));
        assert_eq!(open(&record), Ok((1, &record[..])));
    }

    #[test]
    fn a_state_that_begins_like_a_header_has_one_reading() {
        for version in [1, 2, u32::MAX] {
            let record = seal(&MAGIC, version).expect("it is small");
            assert_eq!(open(&record), Ok((version, &MAGIC[..])));
        }
    }

    #[test]
    fn a_broken_header_is_malformed_and_never_a_state() {
        let record = seal(&7_u8, 2).expect("it is small");
        for cut in MAGIC.len()..HEADER_BYTES {
            assert!(open(&record[..cut]).is_err(), "{cut} bytes");
        }
        let mut zero = record.to_vec();
        zero[MAGIC.len()] = 0;
        assert!(open(&zero).is_err());
    }

    #[test]
    fn a_state_at_the_limit_fits_and_one_beyond_it_is_measured() {
        // A string's length takes five bytes from 64 KiB on.
        let fits = "x".repeat(VALUE_BYTES_MAX - 5);
        assert_eq!(seal(&fits, 1).expect("just").len(), VALUE_BYTES_MAX);
        assert_eq!(
            seal(&fits, 2),
            Err(CodecError::TooLarge { bytes: VALUE_BYTES_MAX + HEADER_BYTES, limit: VALUE_BYTES_MAX })
        );
        let large = vec!["x".repeat(5 << 20); 2];
        let bytes = 1 + 2 * (5 + (5 << 20));
        assert_eq!(seal(&large, 1), Err(CodecError::TooLarge { bytes, limit: VALUE_BYTES_MAX }));
    }
}
