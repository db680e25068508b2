//! Look-ups that every frame makes, among a thousand peers.

use indexmap::IndexMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A map in an order that depends on history alone: the hash is the same on every machine and in every run.
pub(crate) type ByPeer<K, V> = IndexMap<K, V, BuildHasherDefault<PeerHasher>>;

/// The hash of names and generations.
#[derive(Clone, Copy, Default)]
pub(crate) struct PeerHasher(u64);

impl Hasher for PeerHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = quark_core::hash::point_in(self.0, bytes);
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = quark_core::hash::mix(self.0 ^ number);
    }

    fn write_usize(&mut self, length: usize) {
        self.write_u64(length as u64);
    }
}
