//! What the world did, and what was done to it.

use super::super::EntryKind;
use super::super::faults;
use super::super::world_words::{data, words};
use super::{Draft, Linker};
use crate::history::WorldEvent;
use quark_core::membership::table::PARTITION as TABLE;
use quark_core::{Instant, SiloId};
use quark_sim::{Deed, DeedKind};
use serde_json::json;

impl Linker {
    /// The world did something, or was asked about something.
    pub(in super::super) fn world(&mut self, at: Instant, event: &WorldEvent) {
        let kind = match event {
            WorldEvent::Crashed(_) => EntryKind::Crashed,
            WorldEvent::Paused(_) => EntryKind::Paused,
            WorldEvent::Resumed(_) => EntryKind::Resumed,
            WorldEvent::Healed => EntryKind::Healed,
            WorldEvent::Quiet => EntryKind::Quiet,
            WorldEvent::Sampled { .. } => EntryKind::Sampled,
            WorldEvent::StoreCommit { .. } => return self.store_commit(at, event),
            WorldEvent::Waived { .. } => EntryKind::Waived,
            // What was done to the world says so itself.
            WorldEvent::Slowed { .. } | WorldEvent::StoreFailedOver => return,
            WorldEvent::WallClocks { .. }
            | WorldEvent::DirectorySampled { .. }
            | WorldEvent::Served { .. }
            | WorldEvent::Scanned { .. }
            | WorldEvent::Endowed { .. }
            | WorldEvent::Counted { .. } => EntryKind::Observed,
        };
        let mut draft = Draft::new(at, kind, words(event));
        draft.data = data(event);
        if let WorldEvent::Served { actor, .. } | WorldEvent::Scanned { actor, .. } = event {
            draft.actor = Some(self.actor(actor));
        }
        if let Some(silo) = subject(event) {
            (draft.lane, draft.life) = (self.lane(silo), Some(silo.generation.0));
            if kind.is_of_faults() {
                draft.causes = vec![draft.lane.and_then(|lane| self.last.troubles.get(&lane).copied())];
            }
        }
        self.push(draft);
    }

    fn store_commit(&mut self, at: Instant, event: &WorldEvent) {
        let WorldEvent::StoreCommit { by, partition, version, puts, claim, .. } = event else { return };
        let lane = self.lane_of_node.get(by.0).copied().flatten();
        let mut draft = Draft::new(at, EntryKind::StoreCommit, words(event));
        draft.data = data(event);
        draft.actor = self.actor_of_partition(partition);
        draft.lane = lane;
        draft.life = lane.and_then(|lane| self.newest[lane as usize]);
        if let (Some(actor), Some(lane)) = (draft.actor, lane) {
            let turns = self.last.running.iter().filter(|((silo, of), _)| {
                *of == actor && self.lane_of.get(silo.name.as_str()) == Some(&lane)
            });
            let turn = turns.filter_map(|(_, turns)| Some(turns.last()?.1)).max();
            let placed = claim.and_then(|_| self.last.placed.get(&actor).copied());
            draft.causes = vec![turn.filter(|_| claim.is_none()), placed];
        }
        let actor = draft.actor;
        let id = self.push(draft);
        if let Some(actor) = actor {
            self.last.commits.insert((actor, *version), id);
            if let Some((epoch, _)) = claim {
                self.last.claims.insert((actor, *epoch), id);
            }
        }
        if &**partition == TABLE {
            if puts.iter().any(|row| &**row == "view") {
                self.last.view_commit = Some(id);
            }
            for owner in puts.iter().filter_map(|row| row.strip_prefix("lease/")) {
                if let Some(lane) = self.lane_of.get(owner) {
                    self.last.lease_commits.insert(*lane, id);
                }
            }
        }
    }

    /// Somebody did something to the world. The event's number.
    pub(in super::super) fn deed(&mut self, deed: &Deed) -> u32 {
        let kind = if deed.begins { EntryKind::Fault } else { EntryKind::FaultEnd };
        let groups: Vec<Vec<u32>> = deed
            .groups
            .iter()
            .map(|group| group.iter().filter_map(|node| self.lane_of_node[node.index()]).collect())
            .collect();
        let what = faults::words(deed.kind);
        let sides: Vec<String> = groups
            .iter()
            .map(|side| side.iter().map(|lane| self.lane_name(Some(*lane))).collect::<Vec<_>>().join(" "))
            .collect();
        let mut text = if deed.begins { what.to_owned() } else { format!("end of: {what}") };
        if !sides.is_empty() {
            text += &format!(": {}", sides.join(" | "));
        }
        if !deed.detail.is_empty() {
            text += &format!(" ({})", deed.detail);
        }
        let mut draft = Draft::new(Instant(deed.at_ns), kind, text);
        draft.data = vec![("what", json!(what)), ("groups", json!(sides))];
        let hit: Vec<u32> = groups.concat();
        if let [only] = hit[..] {
            draft.lane = Some(only);
        }
        let id = self.push(draft);
        self.remember_deed(deed, groups, &hit, id);
        id
    }

    fn remember_deed(&mut self, deed: &Deed, groups: Vec<Vec<u32>>, hit: &[u32], id: u32) {
        let last = &mut self.last;
        for lane in hit {
            last.troubles.insert(*lane, id);
        }
        match (deed.kind, deed.begins) {
            (DeedKind::Cut, true) => last.cuts.push((groups, id)),
            (DeedKind::Cut, false) if groups.is_empty() => last.cuts.clear(),
            (DeedKind::Cut, false) => {
                if let Some(at) = last.cuts.iter().position(|(of, _)| *of == groups) {
                    last.cuts.remove(at);
                }
            }
            _ => {}
        }
    }
}

fn subject(event: &WorldEvent) -> Option<SiloId> {
    match event {
        WorldEvent::Crashed(silo)
        | WorldEvent::Paused(silo)
        | WorldEvent::Resumed(silo)
        | WorldEvent::DirectorySampled { silo, .. }
        | WorldEvent::Sampled { silo, .. } => Some(*silo),
        _ => None,
    }
}
