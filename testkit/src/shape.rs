//! The shape of a history: what kinds of events it has, how often, in which order, how long they take and how they nest;
//! nothing of who did what.
//!
//! Two histories of one story differ in every number, and more so if one is of a simulated world and the other of real
//! processes. Their shapes can be compared. What only real processes do is a hole in the model: no seed finds a bug that
//! needs it. What only the simulator does is expected, since it has more seeds and more faults.
//!
//! Left out: what the world did, which only a simulation knows, and the operations of journals, whose kinds are their own.

mod difference;
mod follower;
mod pair;
mod spread;
mod table;

pub use difference::{Difference, Side, differences};
pub use pair::{Chain, NotAPair, Pair};
pub use spread::Spread;
pub use table::Table;

use crate::history::{ClientEvent, History, Outcome, SiloEvent, What};
use follower::Follower;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How often which kind of event happened.
pub type Counts = BTreeMap<String, u64>;

/// See the module. A pure function of a history; shapes of several tellings add up.
///
/// ```
/// use quark_testkit::history::History;
/// use quark_testkit::shape::{Shape, differences};
///
/// let (sim, real) = (Shape::of(&History::default()), Shape::of(&History::default()));
/// assert!(differences(&sim, &real).is_empty());
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Shape {
    /// How many histories it is the shape of.
    pub tellings: u64,
    /// Events by the silo's name, whichever its incarnation; `clients` for all clients.
    pub by_silo: BTreeMap<String, Counts>,
    /// Events by the second of true time since the first record.
    pub by_second: Vec<Counts>,
    /// What followed what, and how often.
    pub pairs: BTreeMap<Pair, u64>,
    /// What began within what, and how often: `activation > turn > commit`.
    pub nests: Counts,
    /// How long it took from one kind of event to another: `asked > committed`. Between events of one silo in that silo's
    /// time, else in true time.
    pub latencies: BTreeMap<String, Spread>,
    /// In how many seconds clients did something, all tellings together: what rates are per second of.
    pub served_seconds: u64,
    /// How many operations of clients were under way at once, at most.
    pub operations_wide: u64,
    /// How many turns were under way on one silo at once, at most.
    pub turns_wide: u64,
}

impl Shape {
    /// The shape of one history.
    pub fn of(history: &History) -> Self {
        let mut shape = Self { tellings: 1, ..Self::default() };
        let mut follower = Follower::default();
        let start = history.records().first().map(|record| record.at);
        for record in history.records() {
            let second = record.at.since(start.expect("there is a first record")).as_secs();
            match &record.what {
                What::Silo(it) => {
                    shape.count(it.silo.name.as_str(), second, silo_kind(&it.event));
                    follower.silo(it);
                }
                What::Client(event) => {
                    shape.count("clients", second, client_kind(event).to_owned());
                    follower.client(record.at, event);
                }
                What::User(_) | What::World(_) => {}
            }
        }
        follower.finish(&mut shape);
        let is_served =
            |second: &&Counts| second.keys().any(|kind| kind == INVOKED || RETURNED.contains(&&**kind));
        shape.served_seconds = shape.by_second.iter().filter(is_served).count() as u64;
        shape
    }

    /// Adds the shape of other tellings to this one. Widths are those of the widest.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.tellings += other.tellings;
        for (silo, counts) in &other.by_silo {
            add(self.by_silo.entry(silo.clone()).or_default(), counts);
        }
        self.by_second.resize(self.by_second.len().max(other.by_second.len()), Counts::new());
        self.by_second.iter_mut().zip(&other.by_second).for_each(|(mine, theirs)| add(mine, theirs));
        add(&mut self.pairs, &other.pairs);
        add(&mut self.nests, &other.nests);
        for (what, spread) in &other.latencies {
            self.latencies.entry(what.clone()).or_default().add_all(spread);
        }
        self.served_seconds += other.served_seconds;
        self.operations_wide = self.operations_wide.max(other.operations_wide);
        self.turns_wide = self.turns_wide.max(other.turns_wide);
        self
    }

    /// Events of each kind, wherever they happened.
    pub fn totals(&self) -> Counts {
        let mut all = Counts::new();
        self.by_silo.values().for_each(|counts| add(&mut all, counts));
        all
    }

    /// Events of each kind per second in which clients did something.
    pub fn rates(&self) -> BTreeMap<String, f64> {
        let seconds = self.served_seconds.max(1) as f64;
        self.totals().into_iter().map(|(kind, count)| (kind, count as f64 / seconds)).collect()
    }

    /// How clients' operations ended: the outcome and its share of all that ended.
    pub fn outcomes(&self) -> BTreeMap<&'static str, f64> {
        let totals = self.totals();
        let of = |kind: &str| totals.get(kind).copied().unwrap_or(0) as f64;
        let all: f64 = RETURNED.iter().map(|kind| of(kind)).sum();
        RETURNED.iter().filter(|_| all > 0.0).map(|kind| (*kind, of(kind) / all)).collect()
    }

    /// The share of operations of which nobody knows whether they happened.
    pub fn unknown_ratio(&self) -> f64 {
        self.outcomes().get("returned: unknown").copied().unwrap_or(0.0)
    }

    fn count(&mut self, whose: &str, second: u64, kind: String) {
        let second = usize::try_from(second).expect("a story is no longer than a century");
        if self.by_second.len() <= second {
            self.by_second.resize(second + 1, Counts::new());
        }
        *self.by_second[second].entry(kind.clone()).or_insert(0) += 1;
        if !self.by_silo.contains_key(whose) {
            self.by_silo.insert(whose.to_owned(), Counts::new());
        }
        *self.by_silo.get_mut(whose).expect("it was just put there").entry(kind).or_insert(0) += 1;
    }
}

fn add<K: Ord + Clone>(mine: &mut BTreeMap<K, u64>, theirs: &BTreeMap<K, u64>) {
    for (kind, count) in theirs {
        *mine.entry(kind.clone()).or_insert(0) += count;
    }
}

/// The name of an event's kind. Reasons and outcomes that are few are part of it.
fn silo_kind(event: &SiloEvent) -> String {
    let plain = match event {
        SiloEvent::Joined => "joined",
        SiloEvent::ViewInstalled { .. } => "view",
        SiloEvent::LeaseHeld { .. } => "lease",
        SiloEvent::LeaseLost => "lease lost",
        SiloEvent::Stopped { .. } => "stopped",
        SiloEvent::Placed { .. } => "placed",
        SiloEvent::Activated { .. } => "activated",
        SiloEvent::Deactivated { reason, .. } => return format!("deactivated: {reason}"),
        SiloEvent::TurnStarted(turn) if turn.exclusive => "turn",
        SiloEvent::TurnStarted(_) => "shared turn",
        SiloEvent::TurnEnded { exclusive: true, .. } => "turn end",
        SiloEvent::TurnEnded { .. } => "shared end",
        SiloEvent::CommitAsked(_) => "asked",
        SiloEvent::ReminderAsked { .. } => "reminder asked",
        SiloEvent::Committed { .. } => "committed",
        SiloEvent::Fenced { .. } => "fenced",
        SiloEvent::StoreWentBack { .. } => "store went back",
        SiloEvent::CallIssued { .. } => "issued",
        SiloEvent::CallEnded { outcome, .. } => return format!("ended: {outcome}"),
        SiloEvent::DeadLettered { .. } => "dead letter",
    };
    plain.to_owned()
}

fn client_kind(event: &ClientEvent) -> &'static str {
    match event {
        ClientEvent::Invoked { .. } => INVOKED,
        ClientEvent::Returned { outcome: Outcome::Ok(_), .. } => RETURNED[0],
        ClientEvent::Returned { outcome: Outcome::Refused(_), .. } => RETURNED[1],
        ClientEvent::Returned { outcome: Outcome::Failed, .. } => RETURNED[2],
        ClientEvent::Returned { outcome: Outcome::Unknown, .. } => RETURNED[3],
    }
}

const INVOKED: &str = "invoked";
/// How an operation of a client ends.
const RETURNED: [&str; 4] = ["returned: ok", "returned: refused", "returned: failed", "returned: unknown"];

#[cfg(test)]
mod tests;
