//! When what goes wrong, and for how long.

use crate::catalogue::Parameter;
use crate::fault::{Fault, FaultKind};
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

/// A plan that cannot be carried out. Nothing of it has been done; whoever wrote it has to change it as said.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PlanError {
    /// It is no plan.
    #[error("this is no fault plan: {reason}; the page docs/chaos.md shows one")]
    Malformed {
        /// Why, and where.
        reason: String,
    },
    /// It was written by a newer version. Read it with that one.
    #[error(
        "the fault plan has version {found}, this program reads 1 to {newest}: replay it with the program that wrote it"
    )]
    Newer {
        /// Its version.
        found: u32,
        /// The newest that can be read.
        newest: u32,
    },
    /// It names a kind of fault that there is not.
    #[error("fault {event} is of kind `{kind}`, which there is not{}", did_you_mean(.kind))]
    UnknownKind {
        /// Which event of the plan, counted from 0.
        event: usize,
        /// The kind.
        kind: String,
    },
    /// It names a node that is not there.
    #[error("fault {event} of the plan names node `{name}`, which is not there: there are {}", .known.join(", "))]
    UnknownNode {
        /// Which event of the plan, counted from 0.
        event: usize,
        /// The name.
        name: String,
        /// The nodes that are there.
        known: Vec<String>,
    },
    /// A number of it is out of range.
    #[error("fault {event} of the plan: `{parameter}` of `{}` is {value}; write {min} to {max} {unit}", .kind.name())]
    Illegal {
        /// Which event of the plan, counted from 0.
        event: usize,
        /// The fault's kind.
        kind: FaultKind,
        /// The number's name.
        parameter: &'static str,
        /// What it is.
        value: i64,
        /// The least legal value.
        min: i64,
        /// The greatest legal value.
        max: i64,
        /// What it counts.
        unit: &'static str,
    },
}

/// The known kind whose name is most like this one, and where to find all.
fn did_you_mean(kind: &str) -> String {
    let alike = |known: &str| known.chars().zip(kind.chars()).take_while(|(a, b)| a == b).count();
    let names = FaultKind::ALL.iter().map(|kind| kind.name());
    let nearest = names.max_by_key(|known| (alike(known), usize::MAX - known.len())).unwrap_or_default();
    if alike(&nearest) >= 3 {
        format!(": did you mean `{nearest}`? All are in docs/chaos.md")
    } else {
        ": all are in docs/chaos.md".into()
    }
}

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

    /// Reads a plan.
    ///
    /// Errors: says which event is wrong, and what to write instead. Nodes are checked by [`FaultPlan::check`], numbers too.
    ///
    /// ```
    /// use quark_chaos::{FaultPlan, PlanError};
    /// let text = r#"{"version":1,"events":[{"at_us":5,"for_us":9,"fault":{"kind":"pause","node":"a"}}]}"#;
    /// assert_eq!(FaultPlan::from_json(text).unwrap().events.len(), 1);
    /// let text = text.replace("pause", "pausse");
    /// assert!(FaultPlan::from_json(&text).unwrap_err().to_string().contains("did you mean `pause`?"));
    /// ```
    pub fn from_json(text: &str) -> Result<Self, PlanError> {
        let malformed = |error: serde_json::Error| PlanError::Malformed { reason: error.to_string() };
        let value: serde_json::Value = serde_json::from_str(text).map_err(malformed)?;
        match value["version"].as_u64() {
            Some(version) if version > u64::from(PLAN_VERSION) => {
                let found = u32::try_from(version).unwrap_or(u32::MAX);
                return Err(PlanError::Newer { found, newest: PLAN_VERSION });
            }
            Some(1..) => {}
            _ => return Err(PlanError::Malformed { reason: "it has no `version` from 1".into() }),
        }
        let events = value["events"].as_array().map(Vec::as_slice).unwrap_or_default();
        for (event, planned) in events.iter().enumerate() {
            let kind = planned["fault"]["kind"].as_str();
            if let Some(kind) = kind.filter(|kind| FaultKind::ALL.iter().all(|known| known.name() != *kind)) {
                return Err(PlanError::UnknownKind { event, kind: kind.to_owned() });
            }
            // By itself, so that the error says which one it is.
            serde_json::from_value::<PlannedFault>(planned.clone())
                .map_err(|error| PlanError::Malformed { reason: format!("fault {event}: {error}") })?;
        }
        serde_json::from_value(value).map_err(malformed)
    }

    /// The plan as JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("names, numbers and lists can be written")
    }

    /// Checks that it can be read by this version, names only these nodes, and says only legal numbers.
    pub fn check(&self, nodes: &[&str]) -> Result<(), PlanError> {
        if self.version > PLAN_VERSION {
            return Err(PlanError::Newer { found: self.version, newest: PLAN_VERSION });
        }
        for (event, planned) in self.events.iter().enumerate() {
            if let Some(name) = planned.fault.names().into_iter().find(|name| !nodes.contains(name)) {
                let known = nodes.iter().map(|name| (*name).to_owned()).collect();
                return Err(PlanError::UnknownNode { event, name: name.to_owned(), known });
            }
            let kind = planned.fault.kind();
            for ((_, value), row) in planned.fault.numbers().into_iter().zip(kind.facts().parameters) {
                let Parameter { name: parameter, min, max, unit, .. } = *row;
                if !(min..=max).contains(&value) {
                    return Err(PlanError::Illegal { event, kind, parameter, value, min, max, unit });
                }
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
        let unknown = sample().check(&["a", "b"]).expect_err("there is no c");
        assert_eq!(
            unknown.to_string(),
            "fault 1 of the plan names node `c`, which is not there: there are a, b"
        );
        let newer = FaultPlan { version: 2, ..sample() };
        assert_eq!(newer.check(&["a", "b", "c"]), Err(PlanError::Newer { found: 2, newest: 1 }));
        assert_eq!(sample().end(), Duration::from_secs(6));
    }

    #[test]
    fn an_error_names_the_value_and_the_remedy() {
        let read = |text: &str| FaultPlan::from_json(text).map(|_| ()).expect_err("bad").to_string();
        assert_eq!(
            read(r#"{"version":7,"events":[]}"#),
            "the fault plan has version 7, this program reads 1 to 1: replay it with the program that wrote it"
        );
        assert!(read(r#"{"events":[]}"#).contains("it has no `version` from 1"));
        let of = |fault: &str| format!(r#"{{"version":1,"events":[{{"at_us":0,"fault":{fault}}}]}}"#);
        assert_eq!(
            read(&of(r#"{"kind":"store_outrage"}"#)),
            "fault 0 is of kind `store_outrage`, which there is not: did you mean `store_outage`? All are in \
             docs/chaos.md"
        );
        assert!(read(&of(r#"{"kind":"loss","route":{}}"#)).contains("fault 0: missing field `ppm`"));
        let plan =
            FaultPlan::from_json(&of(r#"{"kind":"loss","route":{},"ppm":2000000}"#)).expect("well formed");
        assert_eq!(
            plan.check(&[]).expect_err("too many").to_string(),
            "fault 0 of the plan: `ppm` of `loss` is 2000000; write 0 to 1000000 ppm"
        );
    }

    /// One fault of each kind, as a plan of version 1 has them. A plan that was once written has to be read for ever: a
    /// change here is a new version.
    const GOLDEN: &str = include_str!("../tests/golden/plan_v1.json");

    #[test]
    fn plans_are_written_as_they_always_were() {
        let golden = FaultPlan::from_json(GOLDEN).expect("the golden plan is readable");
        let kinds: Vec<_> = golden.events.iter().map(|event| event.fault.kind()).collect();
        let written = serde_json::to_string_pretty(&golden).expect("serialisable");
        assert_eq!(written.trim(), GOLDEN.trim());
        let missing: Vec<_> = FaultKind::ALL.iter().filter(|kind| !kinds.contains(kind)).collect();
        assert!(missing.is_empty(), "add one of each to the golden plan: {missing:?}");
    }
}
