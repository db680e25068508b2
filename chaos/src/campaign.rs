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
    /// Heals come before new faults of the same instant, and those before what goes on.
    what: What,
    event: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum What {
    Ends,
    Begins,
    /// It does something anew, for this time.
    Beats(u64),
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
    /// Faults in the plan.
    pub planned: u64,
    /// Faults that were put in force.
    pub applied: u64,
    /// Faults that made no difference, or that the target cannot do.
    pub skipped: u64,
    /// Observed effects; `None` if the target cannot tell.
    pub effects: Option<u64>,
}

impl Campaign {
    /// Prepares a plan.
    pub fn new(plan: FaultPlan) -> Self {
        let mut steps = Vec::new();
        let mut report = Report::default();
        let end = plan.end();
        for (event, planned) in plan.events.iter().enumerate() {
            report.kinds.entry(planned.fault.kind()).or_default().planned += 1;
            steps.push(Step { at: planned.at, what: What::Begins, event });
            // One that is open-ended goes on for as long as anything else does.
            let until = planned.lasts.map_or(end, |_| planned.end());
            let beat = planned.fault.beat().unwrap_or(Duration::MAX);
            let beats = (1..=BEATS_MAX).map_while(|number| {
                let at = planned.at.checked_add(beat.checked_mul(number)?)?;
                (at < until).then_some(Step { at, what: What::Beats(u64::from(number)), event })
            });
            steps.extend(beats);
            if planned.lasts.is_some() && !planned.fault.kind().is_momentary() {
                steps.push(Step { at: planned.end(), what: What::Ends, event });
            }
        }
        // Stable, so that faults of one instant begin in the plan's order; a fault that lasts no time still begins
        // before it ends.
        steps.sort_by_key(|step| {
            let is_instant = plan.events[step.event].lasts == Some(Duration::ZERO);
            (step.at, if is_instant { What::Ends } else { step.what })
        });
        let in_force = vec![false; plan.events.len()];
        Self { plan, steps, next: 0, in_force, report }
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
            match step.what {
                What::Begins => {}
                What::Beats(beat) => {
                    if self.in_force[step.event] {
                        target.beat(fault, beat);
                    }
                    continue;
                }
                What::Ends => {
                    if std::mem::take(&mut self.in_force[step.event]) {
                        target.heal(fault);
                    }
                    continue;
                }
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
            entry.effects = target.effects(*kind);
        }
        self.report
    }
}

/// A beat too many is no more of a fault.
const BEATS_MAX: u32 = 10_000;

impl std::fmt::Display for Report {
    /// A table: kind, planned, applied, skipped, effects.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{:20} {:>8} {:>8} {:>8} {:>12}", "kind", "planned", "applied", "skipped", "effects")?;
        for (kind, entry) in &self.kinds {
            let KindReport { planned, applied, skipped, effects } = entry;
            let effects = effects.map_or_else(|| "?".to_owned(), |effects| effects.to_string());
            writeln!(f, "{:20} {planned:>8} {applied:>8} {skipped:>8} {effects:>12}", kind.name())?;
        }
        Ok(())
    }
}

impl Report {
    /// Adds what another campaign came to.
    pub fn add(&mut self, other: &Report) {
        for (kind, theirs) in &other.kinds {
            let ours = self.kinds.entry(*kind).or_default();
            ours.planned += theirs.planned;
            ours.applied += theirs.applied;
            ours.skipped += theirs.skipped;
            ours.effects =
                ours.effects.or(theirs.effects.map(|_| 0)).map(|sum| sum + theirs.effects.unwrap_or(0));
        }
    }

    /// Kinds that were put in force and had no effect at all: they tested nothing.
    pub fn ineffective(&self) -> impl Iterator<Item = FaultKind> {
        self.kinds
            .iter()
            .filter(|(_, entry)| entry.applied > 0 && entry.effects == Some(0))
            .map(|(kind, _)| *kind)
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
        fn beat(&mut self, fault: &Fault, beat: u64) {
            self.0.push(format!("{beat}{}", fault.node().unwrap_or("store")));
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
        assert_eq!(report.kinds[&FaultKind::ClockStep].effects, None, "this target cannot tell");
    }

    #[test]
    fn a_fault_with_a_beat_goes_on_until_it_ends() {
        let looping = Fault::CrashLoop { node: "n".into(), every: seconds(2) };
        let (mut campaign, mut log) =
            (Campaign::new(FaultPlan::new().with(seconds(1), seconds(5), looping)), Log::default());
        let mut moments = Vec::new();
        while let Some(at) = campaign.next_at() {
            moments.push(at.as_secs());
            campaign.advance(at, &mut log);
        }
        assert_eq!(moments, [1, 3, 5, 6]);
        assert_eq!(log.0, ["+n", "1n", "2n", "-n"]);
    }
}
