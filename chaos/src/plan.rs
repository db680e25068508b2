//! When what goes wrong, and for how long.

use crate::fault::Fault;
use crate::span;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The version of the plan format that this crate writes, and the newest it reads.
pub const PLAN_VERSION: u32 = 1;

/// A list of faults with their times, counted from the moment at which the plan is set in motion.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FaultPlan {
    /// The format's version.
    pub version: u32,
    /// The faults; their order among equals is the order of application.
    pub events: Vec<PlannedFault>,
}

/// One fault with its time.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PlannedFault {
    /// When it begins.
    #[serde(rename = "at_us", with = "span")]
    pub at: Duration,
    /// How long it lasts; `None` until everything is healed. Momentary faults do not last.
    #[serde(rename = "for_us", with = "span::optional", default, skip_serializing_if = "Option::is_none")]
    pub lasts: Option<Duration>,
    /// What goes wrong.
    pub fault: Fault,
}

/// A plan that cannot be carried out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PlanError {
    /// It was written by a newer version. Read it with that one.
    Newer {
        /// Its version.
        found: u32,
        /// The newest that can be read.
        newest: u32,
    },
    /// It names a node that is not there.
    UnknownNode {
        /// The name.
        name: String,
    },
}

impl std::fmt::Display for PlanError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            PlanError::Newer { found, newest } => {
                write!(f, "the fault plan has version {found}, this program reads up to {newest}")
            }
            PlanError::UnknownNode { name } => {
                write!(f, "the fault plan names node `{name}`, which is not there")
            }
        }
    }
}

impl std::error::Error for PlanError {}

impl Default for FaultPlan {
    fn default() -> Self {
        Self { version: PLAN_VERSION, events: Vec::new() }
    }
}

impl FaultPlan {
    /// A plan in which nothing goes wrong.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a fault that lasts for some time.
    #[must_use]
    pub fn with(mut self, at: Duration, lasts: Duration, fault: Fault) -> Self {
        self.events.push(PlannedFault { at, lasts: Some(lasts), fault });
        self
    }

    /// Adds a fault that is momentary, or lasts until everything is healed.
    #[must_use]
    pub fn with_open(mut self, at: Duration, fault: Fault) -> Self {
        self.events.push(PlannedFault { at, lasts: None, fault });
        self
    }

    /// When the last fault begins or ends.
    pub fn end(&self) -> Duration {
        self.events.iter().map(PlannedFault::end).max().unwrap_or_default()
    }

    /// Checks that it can be read by this version and names only these nodes.
    pub fn check(&self, nodes: &[&str]) -> Result<(), PlanError> {
        if self.version > PLAN_VERSION {
            return Err(PlanError::Newer { found: self.version, newest: PLAN_VERSION });
        }
        for event in &self.events {
            if let Some(name) = event.fault.names().into_iter().find(|name| !nodes.contains(name)) {
                return Err(PlanError::UnknownNode { name: name.to_owned() });
            }
        }
        Ok(())
    }
}

impl PlannedFault {
    /// When it ends: at once if it is momentary or open-ended.
    pub fn end(&self) -> Duration {
        match self.lasts {
            Some(lasts) if !self.fault.kind().is_momentary() => self.at + lasts,
            _ => self.at,
        }
    }
}

impl Fault {
    /// All nodes that it names.
    pub fn names(&self) -> Vec<&str> {
        match self {
            Fault::Cut { route, .. }
            | Fault::Loss { route, .. }
            | Fault::Duplicate { route, .. }
            | Fault::Reorder { route, .. }
            | Fault::Corrupt { route, .. }
            | Fault::Latency { route, .. }
            | Fault::Clog { route }
            | Fault::HalfOpen { route } => route.from.iter().chain(&route.to).map(String::as_str).collect(),
            Fault::Partition { groups } => groups.iter().flatten().map(String::as_str).collect(),
            _ => self.node().into_iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Route;

    fn sample() -> FaultPlan {
        let second = Duration::from_secs(1);
        FaultPlan::new()
            .with(second, second * 5, Fault::Crash { node: "b".into() })
            .with_open(second * 2, Fault::Loss { route: Route::between("a", "c"), ppm: 1000 })
            .with(second * 3, second, Fault::StoreOutage)
    }

    #[test]
    fn a_plan_survives_json_unchanged_and_reads_well() {
        let text = serde_json::to_string(&sample()).expect("serialisable");
        assert_eq!(serde_json::from_str::<FaultPlan>(&text).expect("readable"), sample());
        assert!(
            text.contains(r#"{"at_us":1000000,"for_us":5000000,"fault":{"kind":"crash","node":"b"}}"#),
            "{text}"
        );
        assert!(text.contains(r#""fault":{"kind":"store_outage"}"#), "{text}");
    }

    #[test]
    fn a_plan_for_another_cluster_is_refused() {
        assert_eq!(sample().check(&["a", "b", "c"]), Ok(()));
        assert_eq!(sample().check(&["a", "b"]), Err(PlanError::UnknownNode { name: "c".into() }));
        let newer = FaultPlan { version: 2, ..sample() };
        assert_eq!(newer.check(&["a", "b", "c"]), Err(PlanError::Newer { found: 2, newest: 1 }));
        assert_eq!(sample().end(), Duration::from_secs(6));
    }
}
