//! One silo: its core, its clock, and how the store is to it.

use super::super::fingerprint;
use super::Time;
use quark_core::membership::Membership;
use quark_core::view::View;
use quark_core::{Instant, SiloId, SiloName};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// How the store is to a silo while a second passes. The explorer's hand reaches further.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum StoreMode {
    /// It does as asked, and answers.
    Fine,
    /// Requests do not reach it.
    Dark,
    /// It does as asked, and its answers wait.
    Slow,
    /// Requests wait, and may be done much later.
    Late,
}

impl fmt::Display for StoreMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fine => "the store is fine again to",
            Self::Dark => "the store goes dark to",
            Self::Slow => "the store's answers wait on their way to",
            Self::Late => "the store's requests wait on their way from",
        })
    }
}

#[derive(Clone, Hash)]
pub(super) struct Node {
    pub name: SiloName,
    pub id: Option<SiloId>,
    pub core: Option<Membership>,
    rate: u64,
    offset: u64,
    pub paused: bool,
    pub stopped: bool,
    pub mode: StoreMode,
    /// When its next deadline comes, in true time.
    pub due: Option<Time>,
    /// What it published last.
    pub view: Option<Arc<View>>,
    /// The dead that it has seen.
    pub seen: BTreeSet<SiloId>,
    /// Its fingerprint, 0 while it is not known.
    pub digest: u128,
}

impl Node {
    pub fn new(at: usize) -> Self {
        let letter = char::from(b'a' + u8::try_from(at).expect("a small world"));
        Self {
            name: SiloName::new(&letter.to_string()).expect("a letter is a name"),
            id: None,
            core: None,
            // The first clock is slow, the others are as fast as the protocol allows.
            rate: if at == 0 { 1_000_000 } else { 1_099_000 },
            offset: (at as u64 + 1) * 1000 * super::SECOND,
            paused: false,
            stopped: false,
            mode: StoreMode::Fine,
            due: None,
            view: None,
            seen: BTreeSet::new(),
            digest: 0,
        }
    }

    pub fn reborn(&mut self, id: SiloId, core: Membership) {
        (self.id, self.core) = (Some(id), Some(core));
        (self.paused, self.stopped, self.view, self.due) = (false, false, None, None);
        self.seen.clear();
    }

    pub fn crash(&mut self) {
        (self.core, self.due, self.view) = (None, None, None);
        (self.paused, self.stopped) = (false, false);
        self.seen.clear();
    }

    /// Whether there is no process of it that serves or may come to.
    pub fn is_down(&self) -> bool {
        self.core.is_none() || self.stopped
    }

    /// Whether it may run turns.
    pub fn runs(&self, now: Time) -> bool {
        !self.paused && self.core.as_ref().is_some_and(|core| self.local(now) < core.lease_until())
    }

    pub fn local(&self, now: Time) -> Instant {
        Instant(self.offset + (u128::from(now) * u128::from(self.rate) / 1_000_000) as u64)
    }

    pub fn true_time(&self, local: Instant) -> Time {
        let since = u128::from(local.0.saturating_sub(self.offset));
        (since * 1_000_000).div_ceil(u128::from(self.rate)).min(u128::from(u64::MAX)) as u64
    }

    pub fn set_due(&mut self, now: Time) {
        let deadline = self.core.as_ref().and_then(Membership::next_deadline);
        self.due = deadline.map(|local| self.true_time(local).max(now));
    }

    pub fn digest(&self) -> u128 {
        if self.digest != 0 {
            return self.digest;
        }
        let Self {
            name: _, id, core, rate: _, offset: _, paused, stopped, mode, due: _, view: _, seen, ..
        } = self;
        fingerprint(&(id, core, paused, stopped, mode, seen))
    }
}
