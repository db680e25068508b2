//! Probes: proof that a rare path really ran.
//!
//! A scenario in which the fault never landed has not run. `reached!("directory.recovery.started")` counts, per
//! process, how often a branch was taken; the story runner fails when a probe that a story names stays at zero.
//! Probes count and nothing else: no decision may read them, so they cannot disturb determinism.

use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};

/// One named counter. Made by [`reached!`](crate::reached), never by hand.
pub struct Probe {
    name: &'static str,
    hits: AtomicU64,
    listed: AtomicBool,
    next: AtomicPtr<Probe>,
}

static FIRST: AtomicPtr<Probe> = AtomicPtr::new(std::ptr::null_mut());

impl Probe {
    /// A counter that nobody has hit.
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            hits: AtomicU64::new(0),
            listed: AtomicBool::new(false),
            next: AtomicPtr::new(std::ptr::null_mut()),
        }
    }

    /// Counts one more.
    #[inline]
    pub fn hit(&'static self) {
        self.hits.fetch_add(1, Ordering::Relaxed);
        if !self.listed.load(Ordering::Relaxed) {
            self.list();
        }
    }

    #[cold]
    fn list(&'static self) {
        if self.listed.swap(true, Ordering::AcqRel) {
            return;
        }
        let this = std::ptr::from_ref(self).cast_mut();
        let mut first = FIRST.load(Ordering::Acquire);
        loop {
            self.next.store(first, Ordering::Relaxed);
            match FIRST.compare_exchange_weak(first, this, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return,
                Err(seen) => first = seen,
            }
        }
    }
}

/// Every probe hit so far in this process with its count, sorted by name; equal names are added up.
pub fn snapshot() -> std::collections::BTreeMap<&'static str, u64> {
    let mut counts = std::collections::BTreeMap::new();
    let mut at = FIRST.load(Ordering::Acquire);
    // SAFETY: every pointer in the list comes from a `&'static Probe` (see `list`), and is never removed.
    while let Some(probe) = unsafe { at.as_ref() } {
        *counts.entry(probe.name).or_insert(0) += probe.hits.load(Ordering::Relaxed);
        at = probe.next.load(Ordering::Acquire);
    }
    counts
}

/// Counts that this line ran. The name is dotted: `reached!("membership.suspicion.raised")`.
#[macro_export]
macro_rules! reached {
    ($name:literal) => {{
        static PROBE: $crate::probe::Probe = $crate::probe::Probe::new($name);
        PROBE.hit();
    }};
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_reached_probe_is_listed_with_its_count() {
        for _ in 0..3 {
            reached!("probe.test");
        }
        assert_eq!(super::snapshot().get("probe.test"), Some(&3));
        assert_eq!(super::snapshot().get("probe.never"), None);
    }
}
