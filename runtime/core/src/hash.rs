//! The one portable hash that placement rests on.
//!
//! Every silo of a cluster must map an actor to the same point of the ring, on every CPU and in every version,
//! so this is xxh3-64 with fixed seeds and golden vectors in the tests, never a `Hasher` of the standard library.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed, xxh3_128_with_seed};

/// Hashes bytes to a point on the ring.
#[inline]
pub fn point(bytes: &[u8]) -> u64 {
    xxh3_64(bytes)
}

/// Hashes bytes under a numbered domain, so that two uses of one text do not land on the same point.
#[inline]
pub fn point_in(domain: u64, bytes: &[u8]) -> u64 {
    xxh3_64_with_seed(bytes, domain)
}

/// Hashes bytes under a numbered domain to a name so long that no two things ever share one by chance.
#[inline]
pub fn digest_in(domain: u64, bytes: &[u8]) -> u128 {
    xxh3_128_with_seed(bytes, domain)
}

/// Mixes a 64-bit value (splitmix64's finaliser). Cheap, bijective, portable.
#[inline]
pub const fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_has_not_moved() {
        // Golden vectors: a change here moves every actor of every cluster.
        assert_eq!(point(b""), 0x2D06_8005_38D3_94C2);
        assert_eq!(mix(0), 0xE220_A839_7B1D_CDAF);
    }
}
