//! Counters that start at zero.

use super::Model;

/// Counters by name. An operation is a name and what is added, 0 to look; it answers the count after it.
#[derive(Clone, Copy, Default, Debug)]
pub struct Counter;

impl Model for Counter {
    type Key = String;
    type State = u64;
    type Op = (String, u64);
    type Answer = u64;

    fn key(&self, (name, _): &(String, u64)) -> String {
        name.clone()
    }

    fn initial(&self, _: &String) -> u64 {
        0
    }

    fn apply(&self, count: &u64, (_, amount): &(String, u64)) -> (u64, u64) {
        let after = count.wrapping_add(*amount);
        (after, after)
    }

    fn is_read(&self, (_, amount): &(String, u64)) -> bool {
        *amount == 0
    }
}
