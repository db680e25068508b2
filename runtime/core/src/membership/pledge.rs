//! What this silo has promised about the others, by vouching and by voting.
//!
//! The two promises exclude each other, and that is the heart of the protocol: every majority that lets a silo run
//! in the dark shares a member with every set of voters that evicts it, and that member keeps its word.

use super::config::{Config, with_margin};
use crate::{Instant, SiloId};
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

/// The promises that still bind.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Pledges {
    by_target: BTreeMap<SiloId, Pledge>,
    /// Until then, this silo objects to every eviction.
    objects_until: Instant,
    /// No promise ends earlier. Where hundreds die, a silo is bound by hundreds of votes, and looks at them in every step.
    prune_at: Instant,
}

/// When to look for those that have ended changes nothing that happens.
impl Hash for Pledges {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { by_target, objects_until, prune_at: _ } = self;
        (by_target, objects_until).hash(state);
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
struct Pledge {
    vouched_until: Instant,
    voted_until: Instant,
}

impl Pledges {
    /// A new generation cannot know for whom its elder vouched, so it objects to everything until those vouches
    /// must have run out.
    pub(super) fn of_a_new_generation(now: Instant, config: &Config) -> Self {
        Self { objects_until: now + with_margin(config.lease), ..Self::default() }
    }

    /// Promises not to vote against `target` for one lease, unless this silo is bound the other way.
    ///
    /// The promise is kept for a lease on *its* clock, however fast ours runs.
    #[must_use]
    pub(super) fn vouch(&mut self, now: Instant, target: SiloId, config: &Config) -> bool {
        let pledge = self.by_target.entry(target).or_default();
        if now < pledge.voted_until {
            return false;
        }
        pledge.vouched_until = now + with_margin(config.lease);
        self.prune_at = self.prune_at.min(pledge.vouched_until);
        true
    }

    /// Promises not to vouch for `target`, unless this silo is bound the other way.
    #[must_use]
    pub(super) fn vote(&mut self, now: Instant, target: SiloId, config: &Config) -> bool {
        if self.must_object(now, target) {
            return false;
        }
        let until = now + config.vote_binds();
        self.by_target.entry(target).or_default().voted_until = until;
        self.prune_at = self.prune_at.min(until);
        true
    }

    /// Whether a promise forbids to vote against `target`.
    pub(super) fn must_object(&self, now: Instant, target: SiloId) -> bool {
        now < self.objects_until || self.by_target.get(&target).is_some_and(|p| now < p.vouched_until)
    }

    /// Forgets what no longer binds.
    pub(super) fn prune(&mut self, now: Instant) {
        if now < self.prune_at {
            return;
        }
        self.by_target.retain(|_, p| now < p.vouched_until || now < p.voted_until);
        let ends = self.by_target.values().map(|p| p.vouched_until.max(p.voted_until));
        self.prune_at = ends.min().unwrap_or(Instant::NEVER);
    }

    /// Panics: if a target is bound both ways, where debugging assertions are on: there may be hundreds of promises.
    pub(super) fn check(&self, now: Instant) {
        for (target, pledge) in &self.by_target {
            debug_assert!(
                now >= pledge.vouched_until || now >= pledge.voted_until,
                "vouched for {target} and voted against it at once"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Generation, SiloName};

    #[test]
    fn a_promise_excludes_its_opposite_until_it_ends() {
        let config = Config::new("test");
        let target = SiloId::new(SiloName::new("b").expect("valid"), Generation(1));
        let mut pledges = Pledges::default();
        assert!(pledges.vouch(Instant(0), target, &config));
        assert!(!pledges.vote(Instant(3_299_999_999), target, &config));
        assert!(pledges.vote(Instant(3_300_000_000), target, &config));
        assert!(!pledges.vouch(Instant(9_299_999_999), target, &config));
        assert!(pledges.vouch(Instant(9_300_000_000), target, &config));
    }
}
