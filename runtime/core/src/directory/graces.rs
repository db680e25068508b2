//! Until when what the dead hosted may still run.

use crate::{Instant, SiloId, SiloName};
use serde::Serialize;
use std::collections::BTreeMap;

/// Silos of which a dead incarnation may still run, by when it surely has stopped.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize)]
pub(super) struct Graces {
    ends: BTreeMap<SiloName, Instant>,
    /// The earliest of them: looked at with every message, when hundreds may have died.
    next: Instant,
}

impl Default for Graces {
    fn default() -> Self {
        Self { ends: BTreeMap::new(), next: Instant::NEVER }
    }
}

impl Graces {
    /// When the first of them ends; `NEVER` if there is none.
    pub fn next(&self) -> Instant {
        self.next
    }

    /// When the last of them ends.
    pub fn last(&self) -> Option<Instant> {
        self.ends.values().copied().max()
    }

    /// When that of a name ends.
    pub fn of(&self, name: SiloName) -> Option<Instant> {
        self.ends.get(&name).copied()
    }

    /// An incarnation may run until then.
    pub fn extend(&mut self, silo: SiloId, end: Instant) {
        let known = self.ends.entry(silo.name).or_insert(end);
        let before = std::mem::replace(known, end.max(*known));
        if before == self.next && end > before {
            self.find_next();
        } else {
            self.next = self.next.min(end);
        }
    }

    /// Forgets those that are over. Whether there were any.
    pub fn end(&mut self, now: Instant) -> bool {
        if now < self.next {
            return false;
        }
        self.ends.retain(|_, end| *end > now);
        self.find_next();
        true
    }

    fn find_next(&mut self) {
        self.next = self.ends.values().copied().min().unwrap_or(Instant::NEVER);
    }
}
