//! Carries out a plan: applies and heals what is due, and keeps the books.

use crate::fault::FaultKind;
use crate::plan::FaultPlan;
use crate::target::{Applied, Target};
use std::collections::BTreeMap;
use std::time::Duration;

/// A plan being carried out. Knows no clock: its owner waits until [`Campaign::next_at`] and calls
/// [`Campaign::advance`].
#[derive(Clone, Debug)]
pub struct Campaign {
    plan: FaultPlan,
    steps: Vec<Step>,
    next: usize,
    /// Which faults are in force, by index in the plan.
    in_force: Vec<bool>,
    report: Report,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Step {
    at: Duration,
    /// Heals come before new faults of the same instant.
    begins: bool,
    event: usize,
}

/// What a campaign did, by kind of fault.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// Only kinds that were tried.
    pub kinds: BTreeMap<FaultKind, KindReport>,
}

/// What became of the faults of one kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct KindReport {
    /// Faults that were put in force.
    pub applied: u64,
    /// Faults that made no difference, or that the target cannot do.
    pub skipped: u64,
    /// Observed effects, as far as the target can tell.
    pub effects: u64,
}

impl Campaign {
    /// Prepares a plan.
    pub fn new(plan: FaultPlan) -> Self {
        let mut steps = Vec::new();
        for (event, planned) in plan.events.iter().enumerate() {
            steps.push(Step { at: planned.at, begins: true, event });
            if planned.lasts.is_some() && !planned.fault.kind().is_momentary() {
                steps.push(Step { at: planned.end(), begins: false, event });
            }
        }
        // Stable, so that faults of one instant begin in the plan's order; a fault that lasts no time still begins
        // before it ends.
        steps.sort_by_key(|step| {
            (step.at, step.begins && plan.events[step.event].lasts != Some(Duration::ZERO))
        });
        let in_force = vec![false; plan.events.len()];
        Self { plan, steps, next: 0, in_force, report: Report::default() }
    }

    /// When the next step is due, counted from the plan's start.
    pub fn next_at(&self) -> Option<Duration> {
        self.steps.get(self.next).map(|step| step.at)
    }

    /// Takes every step that is due by `now`.
    pub fn advance(&mut self, now: Duration, target: &mut dyn Target) {
        while let Some(step) = self.steps.get(self.next).copied().filter(|step| step.at <= now) {
            self.next += 1;
            let fault = &self.plan.events[step.event].fault;
            if !step.begins {
                if std::mem::take(&mut self.in_force[step.event]) {
                    target.heal(fault);
                }
                continue;
            }
            let entry = self.report.kinds.entry(fault.kind()).or_default();
            match target.apply(fault) {
                Applied::Yes => {
                    entry.applied += 1;
                    self.in_force[step.event] = !fault.kind().is_momentary();
                }
                Applied::Moot | Applied::Unsupported => entry.skipped += 1,
            }
        }
    }

    /// Ends the campaign: heals everything, and says what it came to.
    pub fn finish(mut self, target: &mut dyn Target) -> Report {
        target.heal_all();
        for (kind, entry) in &mut self.report.kinds {
            entry.effects = target.effects(*kind).unwrap_or(entry.applied);
        }
        self.report
    }
}

impl Report {
    /// Kinds that were put in force and had no effect at all: they tested nothing.
    pub fn ineffective(&self) -> impl Iterator<Item = FaultKind> {
        self.kinds.iter().filter(|(_, entry)| entry.applied > 0 && entry.effects == 0).map(|(kind, _)| *kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Fault;

    #[derive(Default)]
    struct Log(Vec<String>);

    impl Target for Log {
        fn apply(&mut self, fault: &Fault) -> Applied {
            self.0.push(format!("+{}", fault.node().unwrap_or("store")));
            if fault.node() == Some("gone") { Applied::Moot } else { Applied::Yes }
        }
        fn heal(&mut self, fault: &Fault) {
            self.0.push(format!("-{}", fault.node().unwrap_or("store")));
        }
        fn heal_all(&mut self) {
            self.0.push("heal".to_owned());
        }
        fn effects(&self, kind: FaultKind) -> Option<u64> {
            (kind == FaultKind::StoreOutage).then_some(0)
        }
    }

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn steps_are_taken_in_order_and_moot_faults_are_not_healed() {
        let crash = |node: &str| Fault::Crash { node: node.into() };
        let plan = FaultPlan::new()
            .with(seconds(5), seconds(2), crash("late"))
            .with(seconds(1), seconds(4), crash("early"))
            .with(seconds(2), seconds(1), crash("gone"))
            .with(seconds(3), seconds(0), Fault::StoreOutage)
            .with_open(seconds(4), Fault::ClockStep { node: "jump".into(), by_ms: 5 });
        let (mut campaign, mut log) = (Campaign::new(plan), Log::default());
        let mut moments = Vec::new();
        while let Some(at) = campaign.next_at() {
            moments.push(at.as_secs());
            campaign.advance(at, &mut log);
        }
        assert_eq!(moments, [1, 2, 3, 4, 5, 7]);
        let report = campaign.finish(&mut log);
        let expected = ["+early", "+gone", "+store", "-store", "+jump", "-early", "+late", "-late", "heal"];
        assert_eq!(log.0, expected);
        let crashes = report.kinds[&FaultKind::Crash];
        assert_eq!((crashes.applied, crashes.skipped), (2, 1));
        assert_eq!(report.ineffective().collect::<Vec<_>>(), [FaultKind::StoreOutage]);
    }
}
