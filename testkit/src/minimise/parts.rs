//! The parts of a run, and how each is made smaller.

use super::shrink::Search;
use super::{deviations, operations, own_faults};
use crate::case::{Case, Kept};
use crate::runner::Telling;
use quark_chaos::{FaultPlan, PlannedFault, drop_pieces};
use quark_core::SiloName;
use std::collections::BTreeSet;

/// How many runs may be spent on the surprises of the schedule, of which there are thousands and few matter.
const RUNS_FOR_SCHEDULE: u64 = 60;
/// The same of operations: where each of them is part of the luck that the failure needs, hundreds stay, and looking at each
/// again after each that went takes longer than anybody waits. Clients have been taken away before, and large pieces first.
const RUNS_FOR_OPERATIONS: u64 = 300;
/// How many runs may be spent in one round on what is left of one fault.
const RUNS_FOR_A_FAULT: u64 = 24;

impl Search<'_> {
    /// Those who do something, each with all that they do.
    pub(super) fn clients(&mut self) {
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

    /// Faults, of the plan and of the story. Whether no single one can go.
    pub(super) fn faults(&mut self) -> bool {
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

    /// How long each fault of the plan lasts.
    pub(super) fn durations(&mut self) {
        self.part = "how long faults last";
        self.planned(|planned, nodes| {
            let mut shorter = planned.shrinks(nodes);
            shorter.retain(|smaller| smaller.fault == planned.fault);
            shorter
        });
    }

    /// What each fault of the plan says beside that: smaller numbers, fewer nodes, as its kind has it.
    pub(super) fn parameters(&mut self) {
        self.part = "what faults say";
        self.planned(|planned, nodes| {
            let weaker = planned.fault.shrinks(nodes).into_iter();
            weaker.map(|fault| PlannedFault { fault, ..planned.clone() }).collect()
        });
    }

    /// Tries smaller variants of each fault of the plan, as long as one fails; then there is none that fails, or the runs
    /// for this fault are used up.
    fn planned(&mut self, smaller: impl Fn(&PlannedFault, &[&str]) -> Vec<PlannedFault>) {
        let Some(events) = self.best.1.drawn.plan.as_ref().map(|plan| plan.events.len()) else { return };
        let silos = silos(&self.best.1);
        let silos: Vec<&str> = silos.iter().map(String::as_str).collect();
        for at in 0..events {
            let until = self.runs + RUNS_FOR_A_FAULT;
            loop {
                let plan = self.best.1.drawn.plan.clone().expect("a smaller run draws a plan, too");
                let variants = smaller(&plan.events[at], &silos);
                let found = variants.into_iter().find(|variant| {
                    let mut plan = plan.clone();
                    plan.events[at] = variant.clone();
                    self.runs < until
                        && self.test(Case { plan: Some(plan), ..self.best.0.clone() }) == Some(true)
                });
                if found.is_none() {
                    break;
                }
            }
        }
    }

    pub(super) fn operations(&mut self) {
        self.part = "operations";
        let mut left = operations(&self.best.1);
        left.sort_by_key(|operation| (operation.counter, operation.entity));
        let until = self.runs + RUNS_FOR_OPERATIONS;
        drop_pieces(&mut left, &mut |left| {
            if self.runs >= until {
                return None;
            }
            self.test(Case { operations: Some(left.to_vec()), ..self.best.0.clone() })
        });
    }

    /// What the story drew: how many silos, above all.
    pub(super) fn drawn_numbers(&mut self) {
        self.part = "silos";
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

    pub(super) fn schedule(&mut self) {
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

    pub(super) fn evenness(&mut self) {
        self.part = "how long things take";
        if !self.best.0.is_even {
            let _ = self.test(Case { is_even: true, ..self.best.0.clone() });
        }
    }

    /// The knobs of the world and of the silos.
    pub(super) fn turned_knobs(&mut self) {
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
    }
}

/// The nodes that a plan can name: clients are none of its business.
fn silos(telling: &Telling) -> Vec<String> {
    let known: BTreeSet<SiloName> =
        telling.history.silo_records().map(|(_, _, record)| record.silo.name).collect();
    let is_silo = |name: &String| SiloName::new(name).is_ok_and(|name| known.contains(&name));
    telling.nodes.iter().filter(|name| is_silo(name)).cloned().collect()
}
