//! What this process was told, to notice a server that has forgotten it.

use parking_lot::Mutex;
use quark_core::Version;
use quark_env::store::Partition;
use std::collections::HashMap;

/// The newest version seen of each partition used lately. Bounded: two halves, of which the older is dropped when the
/// newer is full, so that whatever was used among the last `capacity / 2` partitions is known.
pub(crate) struct Seen {
    halves: Mutex<Halves>,
    capacity: usize,
}

#[derive(Default)]
struct Halves {
    newer: HashMap<Partition, Mark>,
    older: HashMap<Partition, Mark>,
}

/// What is known of one partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Mark {
    /// The newest version that was seen, unless its loss has been reported.
    pub(crate) seen: u64,
    /// The next commit has to have a version beyond this.
    pub(crate) floor: u64,
}

impl Seen {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { halves: Mutex::default(), capacity }
    }

    pub(crate) fn get(&self, partition: &Partition) -> Mark {
        self.halves.lock().get(partition)
    }

    /// The partition has this version.
    pub(crate) fn saw(&self, partition: &Partition, version: Version) {
        let mut halves = self.halves.lock();
        let mark = halves.get(partition);
        if version.0 > mark.seen.max(mark.floor) {
            halves.set(partition, Mark { seen: version.0, floor: 0 }, self.capacity);
        }
    }

    /// The partition had this version, and has it no longer. That is reported once; from then on it only keeps the
    /// version from being given out again.
    pub(crate) fn lost(&self, partition: &Partition, seen: u64) {
        let mut halves = self.halves.lock();
        let mark = halves.get(partition);
        // Unless somebody was told a newer one meanwhile.
        if mark.seen <= seen {
            halves.set(partition, Mark { seen: 0, floor: seen.max(mark.floor) }, self.capacity);
        }
    }
}

impl Halves {
    fn get(&self, partition: &Partition) -> Mark {
        self.newer.get(partition).or_else(|| self.older.get(partition)).copied().unwrap_or_default()
    }

    fn set(&mut self, partition: &Partition, mark: Mark, capacity: usize) {
        if capacity == 0 {
            return;
        }
        if self.newer.len() * 2 >= capacity && !self.newer.contains_key(partition) {
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.insert(partition.clone(), mark);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(number: usize) -> Partition {
        number.to_string().as_str().into()
    }

    #[test]
    fn the_newest_version_of_what_was_used_lately_is_known() {
        let seen = Seen::new(100);
        for number in 0..1000 {
            seen.saw(&name(number), Version(number as u64 + 5));
            seen.saw(&name(number), Version(3));
        }
        for number in 950..1000 {
            assert_eq!(seen.get(&name(number)), Mark { seen: number as u64 + 5, floor: 0 });
        }
        assert_eq!(seen.get(&name(1)), Mark::default());
        let halves = seen.halves.lock();
        assert!(halves.newer.len() + halves.older.len() <= 100);
    }

    #[test]
    fn a_loss_is_reported_once_and_stays_a_floor() {
        let seen = Seen::new(100);
        seen.saw(&name(1), Version(9));
        seen.lost(&name(1), 9);
        assert_eq!(seen.get(&name(1)), Mark { seen: 0, floor: 9 });
        seen.saw(&name(1), Version(4));
        assert_eq!(seen.get(&name(1)), Mark { seen: 0, floor: 9 }, "a read of the old state");
        seen.saw(&name(1), Version(10));
        assert_eq!(seen.get(&name(1)), Mark { seen: 10, floor: 0 });
    }
}
