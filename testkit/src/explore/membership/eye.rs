//! What no silo can see, and what has to hold of it.

use super::{MembershipWorld, Time};
use quark_core::membership::MembershipMessage;
use quark_core::view::{Status, View};
use quark_core::{Generation, SiloId, ViewVersion};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

#[derive(Clone, Default)]
pub(super) struct Eye {
    /// From when on somebody may place anew what a silo hosted.
    released: BTreeMap<SiloId, Time>,
    /// What each version of the table said to whoever saw it first.
    views: BTreeMap<ViewVersion, Arc<View>>,
    /// Silos to which something bad has happened: of those alone the others may think that they are dead.
    harmed: BTreeSet<usize>,
    /// Silos that were told to leave.
    leaving: BTreeSet<usize>,
    /// The store has lost commits: an eviction among them, maybe, and then P2 is not promised.
    pub rewound: bool,
    /// Ballots so far.
    pub ballots: u64,
    wrong: Option<String>,
}

/// What was seen decides nothing that happens; what will be held against the silos does.
impl Hash for Eye {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { released, views: _, harmed, leaving, rewound, ballots: _, wrong } = self;
        (released, harmed, leaving, rewound, wrong.is_some()).hash(state);
    }
}

impl Eye {
    pub fn harm(&mut self, silos: impl IntoIterator<Item = usize>) {
        self.harmed.extend(silos);
    }

    pub fn late(&mut self, silos: Vec<usize>) {
        self.harmed.extend(silos);
    }

    pub fn ordered(&mut self, at: usize) {
        self.leaving.insert(at);
    }

    pub fn sent(&mut self, message: &MembershipMessage) {
        self.ballots += u64::from(matches!(message, MembershipMessage::Ballot { .. }));
    }

    pub fn verdict(&self) -> Result<(), String> {
        self.wrong.clone().map_or(Ok(()), Err)
    }

    fn accuse(&mut self, wrong: String) {
        self.wrong.get_or_insert(wrong);
    }

    /// I8: one version is one content.
    fn note_content(&mut self, view: &Arc<View>) {
        let known = self.views.entry(view.version).or_insert_with(|| view.clone());
        if known != view {
            let wrong = format!("I8: version {} of the table has two contents", view.version);
            self.accuse(wrong);
        }
    }
}

impl MembershipWorld {
    /// A silo has a newer view, or says so.
    pub(super) fn published(&mut self, at: usize, view: Arc<View>) {
        self.eye.note_content(&view);
        let before = self.node(at).view.replace(view.clone());
        if let Some(wrong) = before.and_then(|before| goes_back(&before, &view)) {
            self.eye.accuse(format!("I8: {} {wrong}", self.nodes[at].name));
        }
        self.note_deaths(at, &view);
    }

    /// P12: nobody is declared dead to whom nothing has happened, while most are well. (Of two that cannot hear each other
    /// nobody can say which one is cut off, and of three of which two are not well, which one is.) And from when on the dead's actors may be placed anew.
    fn note_deaths(&mut self, at: usize, view: &View) {
        let local = self.nodes[at].local(self.now);
        let most_are_well = 2 * self.eye.harmed.union(&self.eye.leaving).count() < self.nodes.len();
        for member in &view.members {
            let is_dead = member.status == Status::Dead;
            let place = self.place(member.id.name);
            if most_are_well
                && is_dead
                && !self.eye.harmed.contains(&place)
                && !self.eye.leaving.contains(&place)
            {
                let wrong = format!("P12: {} is declared dead, and nothing has happened to it", member.id);
                self.eye.accuse(wrong);
            }
            let elders = (1..member.id.generation.0).map(|n| SiloId::new(member.id.name, Generation(n)));
            for silo in elders.chain(is_dead.then_some(member.id)) {
                // The newest row alone carries the grace; older generations were released with theirs.
                let is_newest = silo == member.id || silo.generation.next() == member.id.generation;
                if is_newest && self.node(at).seen.insert(silo) {
                    let free = self.nodes[at].true_time(local + member.grace);
                    let first = self.eye.released.entry(silo).or_insert(free);
                    *first = (*first).min(free);
                }
            }
        }
    }

    /// P2: whoever may be placed anew does not run. Looked at after each step of a silo and each move of time.
    pub(super) fn look(&mut self) {
        if self.eye.rewound {
            return;
        }
        let now = self.now;
        let runs = |silo: &SiloId| {
            let node = &self.nodes[self.place(silo.name)];
            node.id == Some(*silo) && node.runs(now)
        };
        let both = self.eye.released.iter().find(|(silo, free)| **free <= now && runs(silo));
        if let Some((silo, free)) = both.map(|(silo, free)| (*silo, *free)) {
            let late = (now - free) / super::MS;
            self.eye.accuse(format!(
                "P2: {silo} runs, and since {late} ms its actors may be placed anew by others"
            ));
        }
        // Whoever has no process any more never runs again.
        let nodes = &self.nodes;
        self.eye.released.retain(|silo, _| {
            nodes.iter().any(|node| node.id == Some(*silo) && node.core.is_some() && !node.stopped)
        });
    }
}

/// What is wrong with a view that follows another on one silo.
fn goes_back(before: &View, after: &View) -> Option<String> {
    if after.version <= before.version {
        return Some(format!("publishes version {} after {}", after.version, before.version));
    }
    let risen = before.members.iter().find(|known| {
        after.named(known.id.name).is_some_and(|now| {
            let is_older = now.id.generation < known.id.generation;
            is_older || now.id == known.id && known.status == Status::Dead && now.status != Status::Dead
        })
    });
    risen.map(|known| format!("publishes a view in which {} lives again", known.id))
}
