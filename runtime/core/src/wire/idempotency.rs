//! What makes a repeated call take effect once.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::hash::{Hash, Hasher};

/// An idempotency key chosen by the caller. It differs from the call id: a retry has a new call id and the same key.
///
/// ```
/// use quark_core::wire::IdempotencyKey;
///
/// assert_eq!(IdempotencyKey::new(7).get(), 7);
/// assert!(IdempotencyKey::new(u128::from(u64::MAX)) < IdempotencyKey::new(1 << 64));
/// ```
// In two halves: a number of 128 bits would align each message, and each future that holds one, to 16 bytes, for which
// allocators go a longer way.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "u128", into = "u128")]
pub struct IdempotencyKey {
    high: u64,
    low: u64,
}

impl IdempotencyKey {
    /// The key of this number.
    pub const fn new(number: u128) -> Self {
        Self { high: (number >> 64) as u64, low: number as u64 }
    }

    /// Its number.
    pub const fn get(self) -> u128 {
        (self.high as u128) << 64 | self.low as u128
    }
}

/// As its number: some maps take a word that is hashed for a hash.
impl Hash for IdempotencyKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u128(self.get());
    }
}

impl From<u128> for IdempotencyKey {
    fn from(number: u128) -> Self {
        Self::new(number)
    }
}

impl From<IdempotencyKey> for u128 {
    fn from(key: IdempotencyKey) -> Self {
        key.get()
    }
}

impl fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("IdempotencyKey").field(&self.get()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{CodecLimits, decode, encode};
    use proptest::prelude::*;

    proptest! {
        /// Whatever was written when a key was one number is read, and the other way round.
        #[test]
        fn a_key_is_its_number_in_every_way(one: u128, other: u128) {
            let (a, b) = (IdempotencyKey::new(one), IdempotencyKey::new(other));
            prop_assert_eq!((a.get(), a.cmp(&b)), (one, one.cmp(&other)));
            prop_assert_eq!(format!("{a:?}"), format!("IdempotencyKey({one})"));
            let written = encode(&a, 100).expect("it fits");
            prop_assert_eq!(&written, &encode(&one, 100).expect("it fits"));
            prop_assert_eq!(decode(&written, CodecLimits::default()), Ok(a));
        }
    }

    #[test]
    fn a_key_makes_no_message_larger_than_its_words() {
        assert_eq!((size_of::<IdempotencyKey>(), align_of::<IdempotencyKey>()), (16, 8));
    }
}
