//! Every choice of a simulation is a pure function of *which* choice it is.
//!
//! One shared random stream would make each draw depend on all draws before it: remove one fault and history is
//! rewritten. Here a choice is `key(seed, purpose, entity, counter)`, so taking something away leaves all the
//! rest as it was, and a failing run can be made smaller. Choice 0 is always the benign one.

use crate::spread::scale;
use quark_core::hash::mix;
use std::collections::BTreeMap;

/// What a choice is about. The numbers are part of every seed's meaning: never renumber, only append.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
#[repr(u8)]
pub enum Purpose {
    /// Which node runs next.
    PickNode = 1,
    /// Which task of the node runs next.
    PickTask = 2,
    /// Priorities of the PCT scheduler.
    Priority = 3,
    /// How long a poll takes.
    Cost = 4,
    /// How long a frame travels.
    Latency = 5,
    /// Whether a frame is lost.
    Loss = 6,
    /// Whether a frame arrives twice.
    Duplicate = 7,
    /// Whether a frame may overtake.
    Reorder = 8,
    /// Whether a frame is damaged.
    Corrupt = 9,
    /// How a frame is damaged.
    Damage = 10,
    /// Whether a cut stalls frames or swallows them.
    CutMode = 11,
    /// Whether a crash resets its links at once.
    Reset = 12,
    /// Whether the hint that a link broke is lost.
    HintLost = 13,
    /// Whether a frame in flight reaches a peer that was reborn meanwhile.
    Stray = 14,
    /// When a broken link is dialled again.
    Redial = 15,
    /// How long a keep-alive takes to notice.
    Keepalive = 16,
    /// How long a store operation takes.
    StoreLatency = 17,
    /// Whether a commit's outcome is hidden.
    StoreIndeterminate = 18,
    /// Whether a commit with a hidden outcome was applied.
    StoreApplied = 19,
    /// Whether a store operation is a slow one.
    StoreSpike = 20,
    /// Whether an unreachable store refuses or stays silent.
    StoreRefuses = 21,
    /// A node's clock rate.
    ClockRate = 22,
    /// A node's monotonic origin.
    ClockOrigin = 23,
    /// A node's wall clock offset.
    ClockWall = 24,
    /// Entropy handed to a node.
    Entropy = 25,
    /// Choices of the test itself (workload, fault plans).
    Workload = 26,
    /// Whether a fault that the test asks for happens; see [`Deed`](crate::Deed).
    Fault = 27,
    /// Whether an operation of the test's workload happens.
    Operation = 28,
    /// Whether a site of `buggify!` fires.
    Whim = 29,
    /// Whether the connection of a store operation drops.
    StoreDrop = 30,
    /// Whether a store operation whose connection dropped took effect.
    StoreDropApplied = 31,
    /// Whether a store operation is refused.
    StoreError = 32,
}

/// The choice itself: 64 bits that depend on the four arguments and on nothing else, on every machine.
#[inline]
pub const fn key(root: u64, purpose: Purpose, entity: u64, counter: u64) -> u64 {
    mix(root ^ mix(purpose as u64 ^ mix(entity ^ mix(counter))))
}

/// Names one choice of a run.
pub type ChoiceId = (Purpose, u64, u64);

/// A choice that was not the benign one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Decision {
    /// The number of the event at which it was taken.
    pub event: u64,
    /// Which choice: purpose, entity, counter.
    pub id: ChoiceId,
    /// What was chosen.
    pub value: u32,
}

/// Where choices come from.
#[derive(Clone, Debug, Default)]
pub enum Replay {
    /// From the seed.
    #[default]
    Seeded,
    /// From the seed, except for the listed ones.
    Override(BTreeMap<ChoiceId, u32>),
    /// Only the listed ones; every other choice is the benign one. (Durations still come from the seed.)
    Only(BTreeMap<ChoiceId, u32>),
    /// Of the purposes named here only the listed choices, and the benign one for every other choice of theirs; the rest
    /// from the seed. What a failing run is made smaller with.
    Reduced(BTreeMap<Purpose, BTreeMap<(u64, u64), u32>>),
}

/// From true time `at` (in ns) on, choices come from another seed: the same past, another future.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Branch {
    /// When, in nanoseconds of true time.
    pub at_ns: u64,
    /// The seed of the new future.
    pub seed: u64,
}

/// The source of all choices of one world.
pub(crate) struct Choices {
    seed: u64,
    branch: Option<Branch>,
    replay: Replay,
    log: Option<Vec<Decision>>,
}

impl Choices {
    pub(crate) fn new(seed: u64, branch: Option<Branch>, replay: Replay, log: bool) -> Self {
        Self { seed, branch, replay, log: log.then(Vec::new) }
    }

    /// A draw that is no decision: a duration, a byte. Never logged, never overridden.
    #[inline]
    pub(crate) fn word(&self, now: u64, purpose: Purpose, entity: u64, counter: u64) -> u64 {
        key(self.seed_at(now), purpose, entity, counter)
    }

    /// Chooses one of `options`; 0 is the benign one. `at` is (true time, event number).
    #[inline]
    pub(crate) fn decide(&mut self, at: (u64, u64), id: ChoiceId, options: u32) -> u32 {
        debug_assert!(options > 0, "a choice has options");
        let word = self.word(at.0, id.0, id.1, id.2);
        self.settle(at.1, id, scale(options.into(), word) as u32)
    }

    /// Whether a thing of this probability (in parts per million) happens.
    #[inline]
    pub(crate) fn chance(&mut self, at: (u64, u64), id: ChoiceId, ppm: u32) -> bool {
        if ppm == 0 && matches!(self.replay, Replay::Seeded) {
            return false;
        }
        let word = self.word(at.0, id.0, id.1, id.2);
        let happens = scale(1_000_000, word) < u64::from(ppm);
        self.settle(at.1, id, u32::from(happens)) != 0
    }

    /// Lets a replay correct a choice, and notes it if it is not the benign one.
    #[inline]
    pub(crate) fn settle(&mut self, event: u64, id: ChoiceId, seeded: u32) -> u32 {
        let value = match &self.replay {
            Replay::Seeded => seeded,
            Replay::Override(list) => list.get(&id).copied().unwrap_or(seeded),
            Replay::Only(list) => list.get(&id).copied().unwrap_or(0),
            Replay::Reduced(purposes) => match purposes.get(&id.0) {
                Some(list) => list.get(&(id.1, id.2)).copied().unwrap_or(0),
                None => seeded,
            },
        };
        if value != 0
            && let Some(log) = &mut self.log
        {
            log.push(Decision { event, id, value });
        }
        value
    }

    pub(crate) fn log(&self) -> &[Decision] {
        self.log.as_deref().unwrap_or_default()
    }

    /// From `branch` on, choices come from its seed; those before it are as they were, earlier branches included.
    pub(crate) fn branch_off(&mut self, now: u64, branch: Branch) {
        assert!(branch.at_ns >= now, "a branch at {} ns would change the past: it is {now} ns", branch.at_ns);
        // Nobody asks again about what lies before now.
        self.seed = self.seed_at(now);
        self.branch = Some(branch);
    }

    /// The branch that was taken last, or will be taken.
    pub(crate) fn branch(&self) -> Option<Branch> {
        self.branch
    }

    /// The seed of what is chosen at this time.
    #[inline]
    pub(crate) fn seed_at(&self, now: u64) -> u64 {
        match self.branch {
            Some(branch) if now >= branch.at_ns => branch.seed,
            _ => self.seed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_function_has_not_moved() {
        // Golden: a change here changes what every committed seed means.
        assert_eq!(key(0, Purpose::PickNode, 0, 0), GOLDEN[0]);
        assert_eq!(key(42, Purpose::Latency, 3 << 32 | 7, 1000), GOLDEN[1]);
        assert_eq!(key(u64::MAX, Purpose::Workload, u64::MAX, u64::MAX), GOLDEN[2]);
    }

    /// Computed by an independent implementation of splitmix64.
    const GOLDEN: [u64; 3] = [0xD9EE_F7F0_73D3_7C42, 0x53F3_00D1_DAE0_7E92, 0xDF9A_E6D5_E9F5_E2E4];

    #[test]
    fn a_chance_of_nothing_never_happens_and_of_a_million_always() {
        let mut choices = Choices::new(7, None, Replay::Seeded, true);
        for n in 0..1000 {
            assert!(!choices.chance((0, 0), (Purpose::Loss, 1, n), 0));
            assert!(choices.chance((0, 0), (Purpose::Loss, 1, n), 1_000_000));
        }
        assert_eq!(choices.log().len(), 1000);
    }

    #[test]
    fn a_chance_is_as_likely_as_it_says() {
        let mut choices = Choices::new(7, None, Replay::Seeded, false);
        let hits = (0..100_000).filter(|n| choices.chance((0, 0), (Purpose::Loss, 1, *n), 250_000)).count();
        assert!((24_000..26_000).contains(&hits), "{hits} of 100 000");
    }

    #[test]
    fn a_replay_overrides_one_choice_and_leaves_the_rest() {
        let id = |n| (Purpose::PickTask, 4, n);
        let mut seeded = Choices::new(9, None, Replay::Seeded, false);
        let plain: Vec<_> = (0..50).map(|n| seeded.decide((0, 0), id(n), 5)).collect();
        let list = BTreeMap::from([(id(10), 4 - plain[10])]);
        let mut changed = Choices::new(9, None, Replay::Override(list.clone()), false);
        let mut only = Choices::new(9, None, Replay::Only(list), false);
        for n in 0..50 {
            let expected = if n == 10 { 4 - plain[10] } else { plain[n as usize] };
            assert_eq!(changed.decide((0, 0), id(n), 5), expected);
            assert_eq!(only.decide((0, 0), id(n), 5), if n == 10 { 4 - plain[10] } else { 0 });
        }
    }

    #[test]
    fn a_reduced_replay_is_benign_in_the_purposes_that_it_names_and_seeded_in_the_rest() {
        let (task, node) = (|n| (Purpose::PickTask, 4, n), |n| (Purpose::PickNode, 0, n));
        let kept = BTreeMap::from([((4, 10), 3)]);
        let replay = Replay::Reduced(BTreeMap::from([(Purpose::PickTask, kept)]));
        let (mut seeded, mut reduced) =
            (Choices::new(9, None, Replay::Seeded, false), Choices::new(9, None, replay, false));
        for n in 0..50 {
            assert_eq!(reduced.decide((0, 0), task(n), 5), if n == 10 { 3 } else { 0 });
            assert_eq!(reduced.decide((0, 0), node(n), 5), seeded.decide((0, 0), node(n), 5));
        }
    }

    #[test]
    fn a_branch_shares_the_past_and_not_the_future() {
        let branch = Some(Branch { at_ns: 100, seed: 2 });
        let (a, b) =
            (Choices::new(1, None, Replay::Seeded, false), Choices::new(1, branch, Replay::Seeded, false));
        assert_eq!(a.word(99, Purpose::Loss, 1, 1), b.word(99, Purpose::Loss, 1, 1));
        assert_ne!(a.word(100, Purpose::Loss, 1, 1), b.word(100, Purpose::Loss, 1, 1));
    }

    #[test]
    fn a_branch_of_a_branch_keeps_what_lies_between() {
        let mut choices = Choices::new(1, Some(Branch { at_ns: 100, seed: 2 }), Replay::Seeded, false);
        choices.branch_off(150, Branch { at_ns: 200, seed: 3 });
        assert_eq!([150, 199, 200].map(|now| choices.seed_at(now)), [2, 2, 3]);
    }

    #[test]
    #[should_panic(expected = "would change the past")]
    fn a_branch_does_not_change_the_past() {
        Choices::new(1, None, Replay::Seeded, false).branch_off(100, Branch { at_ns: 99, seed: 2 });
    }
}
