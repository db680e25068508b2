//! The search for the smallest run.

use super::{Failure, Progress, Size, deviations, operations, own_faults};
use crate::case::{Case, Kept};
use crate::runner::{self, Telling};
use crate::story::Scenario;
use quark_chaos::{FaultPlan, drop_pieces};
use std::time::Duration;

/// Takes away whatever the failure does not need.
pub(super) struct Search<'a> {
    scenario: &'a Scenario,
    failure: Failure,
    /// The smallest failing run so far, and how it was told.
    best: (Case, Telling),
    whole_run: Duration,
    runs: u64,
    part: &'static str,
    is_over: bool,
    goes_on: &'a mut dyn FnMut(Progress) -> bool,
}

/// How many runs may be spent on the surprises of the schedule, of which there are thousands and few matter.
const RUNS_FOR_SCHEDULE: u64 = 60;
/// How many times all parts are gone through: one may go only now that another is gone.
const ROUNDS: usize = 3;

impl<'a> Search<'a> {
    pub(super) fn new(
        scenario: &'a Scenario,
        case: Case,
        whole: Telling,
        failure: Failure,
        goes_on: &'a mut dyn FnMut(Progress) -> bool,
    ) -> Self {
        let whole_run = whole.report.simulated;
        Self { scenario, failure, best: (case, whole), whole_run, runs: 1, part: "", is_over: false, goes_on }
    }

    /// The smallest run, how it was told, and how many runs it took to find it.
    pub(super) fn result(self) -> (Case, Telling, u64) {
        (self.best.0, self.best.1, self.runs)
    }

    /// Whether the result fails no more without any one of its faults.
    pub(super) fn run(&mut self) -> bool {
        let mut is_minimal = false;
        for _ in 0..ROUNDS {
            let before = Size::of(&self.best.1);
            // First of all whatever makes runs short.
            self.clients();
            is_minimal = self.faults();
            self.durations();
            self.operations();
            self.knobs();
            self.evenness();
            self.schedule();
            if self.is_over || Size::of(&self.best.1) == before {
                break;
            }
            // What was taken away last may have made a fault unnecessary.
            is_minimal = false;
        }
        if !is_minimal && !self.is_over {
            is_minimal = self.faults();
        }
        is_minimal && !self.is_over
    }

    /// Tells a smaller run; it is the best if it fails in the same way. `None` when the search is over.
    fn test(&mut self, case: Case) -> Option<bool> {
        let progress = Progress { runs: self.runs, part: self.part, left: Size::of(&self.best.1) };
        if self.is_over || !(self.goes_on)(progress) {
            self.is_over = true;
            return None;
        }
        self.runs += 1;
        let telling = runner::tell_in_full(self.scenario, &case, Some(self.whole_run));
        let fails = self.failure.is_in(&telling.report);
        if fails {
            self.best = (case, telling);
        }
        Some(fails)
    }

    fn faults(&mut self) -> bool {
        self.part = "faults of the plan";
        let mut is_minimal = true;
        if let Some(plan) = self.best.1.drawn.plan.clone() {
            let mut events = plan.events.clone();
            is_minimal = drop_pieces(&mut events, &mut |events| {
                let plan = FaultPlan { events: events.to_vec(), ..plan.clone() };
                self.test(Case { plan: Some(plan), ..self.best.0.clone() })
            });
        }
        if !self.failure.is_of_a_checker() {
            return is_minimal;
        }
        self.part = "faults of the story";
        let mut own = own_faults(&self.best.1);
        drop_pieces(&mut own, &mut |own| {
            self.test(Case { faults: Some(own.to_vec()), ..self.best.0.clone() })
        }) && is_minimal
    }

    /// Halves how long each fault of the plan lasts, down to a millisecond.
    fn durations(&mut self) {
        self.part = "how long faults last";
        let count = self.best.0.plan.as_ref().map_or(0, |plan| plan.events.len());
        for at in 0..count {
            loop {
                let mut plan = self.best.0.plan.clone().expect("it was counted");
                let event = &mut plan.events[at];
                let Some(lasts) = event.lasts.filter(|lasts| *lasts > Duration::from_millis(1)) else {
                    break;
                };
                // In whole microseconds, as plans are written.
                event.lasts = Some(Duration::from_micros(lasts.as_micros() as u64 / 2));
                if self.test(Case { plan: Some(plan), ..self.best.0.clone() }) != Some(true) {
                    break;
                }
            }
        }
    }

    /// Those who do something, each with all that they do.
    fn clients(&mut self) {
        self.part = "clients";
        let all = operations(&self.best.1);
        let mut clients: Vec<u64> = all.iter().map(|operation| operation.entity).collect();
        clients.dedup();
        let of = |clients: &[u64]| -> Vec<Kept> {
            all.iter().filter(|operation| clients.contains(&operation.entity)).cloned().collect()
        };
        drop_pieces(&mut clients, &mut |clients| {
            self.test(Case { operations: Some(of(clients)), ..self.best.0.clone() })
        });
    }

    fn operations(&mut self) {
        self.part = "operations";
        let mut left = operations(&self.best.1);
        left.sort_by_key(|operation| (operation.counter, operation.entity));
        drop_pieces(&mut left, &mut |left| {
            self.test(Case { operations: Some(left.to_vec()), ..self.best.0.clone() })
        });
    }

    fn knobs(&mut self) {
        self.part = "knobs";
        let mut names = self.best.1.turned.names();
        let all = self.best.1.turned.clone();
        drop_pieces(&mut names, &mut |names| {
            let mut turned = all.clone();
            all.names().iter().filter(|name| !names.contains(name)).for_each(|name| {
                turned.set_back(name);
            });
            self.test(Case { turned: Some(turned), ..self.best.0.clone() })
        });
        let knobs = self.best.1.drawn.knobs.clone();
        for (name, (value, simplest)) in knobs.into_iter().filter(|(_, (value, simplest))| value != simplest)
        {
            let mut tried = simplest;
            // If it cannot be as in the simplest run, then perhaps half way.
            while tried != value {
                let mut case = self.best.0.clone();
                case.knobs.insert(name.clone(), tried);
                if self.test(case) != Some(false) {
                    break;
                }
                let middle = tried.midpoint(value);
                tried = if middle == tried { value } else { middle };
            }
        }
    }

    fn evenness(&mut self) {
        self.part = "how long things take";
        if !self.best.0.is_even {
            let _ = self.test(Case { is_even: true, ..self.best.0.clone() });
        }
    }

    fn schedule(&mut self) {
        self.part = "schedule";
        let mut left = deviations(&self.best.1);
        let until = self.runs + RUNS_FOR_SCHEDULE;
        drop_pieces(&mut left, &mut |left| {
            if self.runs >= until {
                return None;
            }
            self.test(Case { deviations: Some(left.to_vec()), ..self.best.0.clone() })
        });
    }
}
