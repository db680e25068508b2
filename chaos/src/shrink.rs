//! What is smaller than a fault and of its kind: what a minimiser tries.

use crate::fault::Fault;
use crate::plan::PlannedFault;
use std::time::Duration;

impl Fault {
    /// Smaller variants of this fault, the smallest first: numbers half of the way and a quarter of the way towards the
    /// value that does least, fewer nodes. None of them is as large as it was, so that trying comes to an end.
    ///
    /// `nodes` are all that there are: a route that names none means all of them.
    pub fn shrinks(&self, nodes: &[&str]) -> Vec<Fault> {
        let mut found = self.on_fewer(nodes);
        let numbers = self.numbers();
        for (name, value) in numbers {
            let parameter = self.kind().facts().parameters.iter().find(|parameter| parameter.name == name);
            let benign = parameter.expect("every number has a row").benign;
            let way = benign.saturating_sub(value);
            // Towards the benign value, rounded away from the old one.
            let steps = [way / 2 + way % 2, way / 4];
            let mut last = value;
            for step in steps {
                if step != 0 && last != value + step {
                    last = value + step;
                    found.push(self.with_number(name, last));
                }
            }
        }
        found
    }
}

impl PlannedFault {
    /// Smaller variants: shorter ones first, then those of its fault. One that never ends is made to end.
    pub fn shrinks(&self, nodes: &[&str]) -> Vec<PlannedFault> {
        // In whole microseconds, as plans are written: what is read back has to be what was told.
        let whole = |lasts: Duration| Duration::from_micros(lasts.as_micros() as u64);
        let shorter = |lasts| PlannedFault { lasts: Some(whole(lasts)), ..self.clone() };
        let mut found = match self.lasts {
            _ if self.fault.kind().is_momentary() => Vec::new(),
            Some(lasts) if lasts > SHORTEST => vec![shorter(lasts / 2), shorter(lasts / 4 * 3)],
            Some(_) => Vec::new(),
            None => vec![shorter(Duration::from_secs(10))],
        };
        let weaker = self.fault.shrinks(nodes).into_iter();
        found.extend(weaker.map(|fault| PlannedFault { fault, ..self.clone() }));
        found
    }
}

/// What lasts less is not made shorter.
const SHORTEST: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FaultKind, FaultPlan, Route, SwarmConfig, swarm};

    const NODES: [&str; 4] = ["a", "b", "c", "d"];

    /// How large a fault is: nodes first, then how far its numbers are from the benign ones.
    fn size(fault: &Fault) -> u128 {
        let route = |route: &Route| {
            let count = |list: &[String]| if list.is_empty() { NODES.len() + 1 } else { list.len() };
            count(&route.from) + count(&route.to)
        };
        let nodes = match fault {
            Fault::Partition { groups } => groups.iter().map(|group| group.len() + 1).sum(),
            Fault::Cut { route: at, .. } | Fault::Clog { route: at } | Fault::Loss { route: at, .. } => {
                route(at)
            }
            Fault::Latency { route: at, .. } | Fault::Reorder { route: at, .. } => route(at),
            _ => fault.names().len(),
        };
        let far = |(name, value): (&str, i64)| {
            let facts = fault.kind().facts();
            let parameter =
                facts.parameters.iter().find(|parameter| parameter.name == name).expect("has a row");
            u128::from(value.abs_diff(parameter.benign))
        };
        (nodes as u128) << 80 | fault.numbers().into_iter().map(far).sum::<u128>()
    }

    #[test]
    fn every_shrink_is_legal_and_trying_comes_to_an_end() {
        let sized = [
            FaultKind::Partition,
            FaultKind::Cut,
            FaultKind::Clog,
            FaultKind::Loss,
            FaultKind::Latency,
            FaultKind::Reorder,
        ];
        for seed in 0..40 {
            let config = SwarmConfig {
                kinds: FaultKind::ALL.to_vec(),
                ..SwarmConfig::new(&NODES, Duration::from_secs(60))
            };
            for planned in swarm(seed, &config).events {
                let (mut at, mut steps) = (planned.clone(), 0);
                while let Some(smaller) = at.shrinks(&NODES).pop() {
                    let plan = FaultPlan { events: vec![smaller.clone()], ..FaultPlan::new() };
                    plan.check(&NODES).expect("a shrink is legal");
                    if sized.contains(&smaller.fault.kind()) && smaller.lasts == at.lasts {
                        assert!(size(&smaller.fault) < size(&at.fault), "{:?} {:?}", at.fault, smaller.fault);
                    }
                    at = smaller;
                    steps += 1;
                    assert!(steps < 2000, "{planned:?} does not come to an end: {at:?}");
                }
            }
        }
    }

    #[test]
    fn a_loss_everywhere_shrinks_to_one_path_and_to_less() {
        let loss = Fault::Loss { route: Route::everywhere(), ppm: 1000 };
        let shrinks = loss.shrinks(&["a", "b"]);
        assert!(
            shrinks.contains(&Fault::Loss { route: Route { from: vec!["a".into()], to: vec![] }, ppm: 1000 })
        );
        assert!(shrinks.contains(&Fault::Loss { route: Route::everywhere(), ppm: 500 }));
        let cut = Fault::Cut { route: Route::between("a", "b"), one_way: false };
        assert_eq!(cut.shrinks(&["a", "b"]), [Fault::Cut { route: Route::between("a", "b"), one_way: true }]);
    }
}
