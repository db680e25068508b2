//! Calls that this silo sent on for others.
//!
//! The caller knows only the silo it sent to. Should the silo that we sent the call on to die, we tell the caller:
//! promise P7 holds on forwarded paths also when the `Moved` hint was lost.

use quark_core::wire::CallId;
use quark_core::{Instant, SiloId};
use std::collections::BTreeMap;

/// Bounded; an entry lives until its call's deadline.
#[derive(Default)]
pub(crate) struct Forwarded {
    calls: BTreeMap<(SiloId, CallId), (SiloId, Instant)>,
}

/// The most calls remembered. Beyond it the oldest callers rely on the `Moved` hint alone.
const CALLS_MAX: usize = 100_000;

impl Forwarded {
    /// Remembers where a call went.
    pub fn insert(&mut self, origin: SiloId, call: CallId, to: SiloId, deadline: Instant) {
        if self.calls.len() >= CALLS_MAX {
            self.calls.pop_first();
        }
        self.calls.insert((origin, call), (to, deadline));
    }

    /// Takes out the calls that went to a silo that is gone.
    pub fn take_dead(&mut self, dead: impl Fn(SiloId) -> bool) -> Vec<(SiloId, CallId)> {
        let gone: Vec<_> = self.calls.iter().filter(|(_, (to, _))| dead(*to)).map(|(key, _)| *key).collect();
        for key in &gone {
            self.calls.remove(key);
        }
        gone
    }

    /// Drops what is past its deadline: its caller has stopped waiting. Returns when the next one is.
    pub fn expire(&mut self, now: Instant) -> Option<Instant> {
        self.calls.retain(|_, (_, deadline)| *deadline > now);
        self.calls.values().map(|(_, deadline)| *deadline).min()
    }

    /// How many calls are remembered.
    pub fn len(&self) -> usize {
        self.calls.len()
    }
}
