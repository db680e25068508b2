//! States boiled down to 128 bits.

use std::hash::{Hash, Hasher};

/// A state as the search remembers it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Canonical {
    /// The same for all states that differ in names alone.
    pub hash: u128,
    /// How many states that is.
    pub namings: u32,
}

impl Canonical {
    /// A state whose names all matter: it stands for itself alone.
    pub fn of(state: &impl Hash) -> Self {
        Self { hash: fingerprint(state), namings: 1 }
    }
}

/// The fingerprint of a value, the same in every process and on every machine of the same byte order.
pub fn fingerprint(value: &impl Hash) -> u128 {
    let mut hasher = Fingerprint::default();
    value.hash(&mut hasher);
    hasher.value()
}

/// A hasher of 128 bits: two lanes of multiply and fold that see the same words.
///
/// Of a hundred million states, two share 128 bits by chance once in 10^22 explorations; of 64 bits, two of a billion
/// states would in every thirty-seventh.
#[derive(Clone, Copy, Debug)]
pub struct Fingerprint {
    one: u64,
    two: u64,
}

impl Default for Fingerprint {
    fn default() -> Self {
        Self { one: 0x243F_6A88_85A3_08D3, two: 0x1319_8A2E_0370_7344 }
    }
}

impl Fingerprint {
    /// All 128 bits.
    pub fn value(&self) -> u128 {
        let (one, two) = (fold(self.one, LAST), fold(self.two, FIRST));
        u128::from(one) << 64 | u128::from(two)
    }

    #[inline]
    fn word(&mut self, word: u64) {
        self.one = fold(self.one ^ word, FIRST).rotate_left(23);
        self.two = fold(self.two.wrapping_add(word), LAST) ^ self.two.rotate_left(29);
    }
}

/// The two halves of a product, folded together. The odd constants are digits of pi, as are the starts above.
#[inline]
fn fold(word: u64, by: u64) -> u64 {
    let product = u128::from(word) * u128::from(by);
    (product as u64) ^ (product >> 64) as u64
}

const FIRST: u64 = 0xA409_3822_299F_31D1;
const LAST: u64 = 0x082E_FA98_EC4E_6C89;

impl Hasher for Fingerprint {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.word(u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            self.word(u64::from_le_bytes(last));
        }
        // Where one text ends and the next begins.
        self.word(bytes.len() as u64);
    }

    fn write_u8(&mut self, number: u8) {
        self.word(number.into());
    }

    fn write_u16(&mut self, number: u16) {
        self.word(number.into());
    }

    fn write_u32(&mut self, number: u32) {
        self.word(number.into());
    }

    fn write_u64(&mut self, number: u64) {
        self.word(number);
    }

    fn write_u128(&mut self, number: u128) {
        self.word(number as u64);
        self.word((number >> 64) as u64);
    }

    fn write_usize(&mut self, number: usize) {
        self.word(number as u64);
    }

    fn finish(&self) -> u64 {
        (self.value() >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn neighbours_differ_in_both_halves() {
        let all: Vec<u128> = (0..20_000_u64).map(|n| fingerprint(&(n, n / 7))).collect();
        let high: BTreeSet<u64> = all.iter().map(|f| (f >> 64) as u64).collect();
        let low: BTreeSet<u64> = all.iter().map(|f| *f as u64).collect();
        assert_eq!((high.len(), low.len()), (20_000, 20_000));
    }

    #[test]
    fn where_a_text_ends_matters() {
        assert_ne!(fingerprint(&("ab", "c")), fingerprint(&("a", "bc")));
        assert_ne!(fingerprint(&vec![0_u8; 3]), fingerprint(&vec![0_u8; 4]));
    }

    #[test]
    fn a_fingerprint_is_the_same_in_every_process() {
        assert_eq!(fingerprint(&(7_u64, "seven")), 171_016_274_273_617_624_158_040_942_566_780_085_086);
    }
}
