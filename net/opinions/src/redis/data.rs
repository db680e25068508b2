//! What the server holds: hashes, and sorted sets of which all scores are 0.

use std::collections::{BTreeMap, BTreeSet};

/// Everything that survives a restart.
#[derive(Clone, Default)]
pub(crate) struct Data {
    hashes: BTreeMap<Vec<u8>, BTreeMap<Vec<u8>, Vec<u8>>>,
    orders: BTreeMap<Vec<u8>, BTreeSet<Vec<u8>>>,
}

impl Data {
    pub(crate) fn hget(&self, key: &[u8], field: &[u8]) -> Option<&Vec<u8>> {
        self.hashes.get(key)?.get(field)
    }

    /// Whether the field is new.
    pub(crate) fn hset(&mut self, key: &[u8], field: &[u8], value: Vec<u8>) -> bool {
        self.hashes.entry(key.to_vec()).or_default().insert(field.to_vec(), value).is_none()
    }

    /// Whether there was such a field.
    pub(crate) fn hdel(&mut self, key: &[u8], field: &[u8]) -> bool {
        self.hashes.get_mut(key).is_some_and(|hash| hash.remove(field).is_some())
    }

    pub(crate) fn zadd(&mut self, key: &[u8], member: &[u8]) {
        self.orders.entry(key.to_vec()).or_default().insert(member.to_vec());
    }

    pub(crate) fn zrem(&mut self, key: &[u8], member: &[u8]) {
        if let Some(order) = self.orders.get_mut(key) {
            order.remove(member);
        }
    }

    /// `ZRANGEBYLEX key [from (to LIMIT 0 most`, of which a negative `most` is no limit.
    pub(crate) fn range(&self, key: &[u8], from: &[u8], to: &[u8], most: i64) -> Vec<Vec<u8>> {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let Some(order) = self.orders.get(key) else { return Vec::new() };
        order.iter().filter(|member| &member[..] >= from && &member[..] < to).take(most).cloned().collect()
    }
}
