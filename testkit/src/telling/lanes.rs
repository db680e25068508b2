//! The nodes of a telling, and the processes that ran on them.

use super::entry::{Entry, EntryKind};
use quark_core::Instant;
use serde::{Deserialize, Serialize};

/// A node.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Lane {
    /// Its name.
    pub name: String,
    /// Whether it is a silo; else it is a client.
    pub is_silo: bool,
    /// The processes that ran on it, in order.
    pub lives: Vec<Life>,
}

/// One process: an incarnation.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Life {
    /// Its generation in the cluster.
    pub generation: u64,
    /// When it was first heard of.
    #[serde(rename = "from_ns")]
    pub from: Instant,
    /// When it ended, or the story did.
    #[serde(rename = "to_ns")]
    pub to: Instant,
    /// How: `crashed`, `stopped`, `replaced`, or `runs` if it did not.
    pub end: String,
}

/// Fills in the lives, from what each incarnation did.
pub(super) fn fill_lives(lanes: &mut [Lane], events: &[Entry], end: Instant) {
    for entry in events {
        let (Some(lane), Some(generation)) = (entry.lane, entry.life) else { continue };
        let lives = &mut lanes[lane as usize].lives;
        let newest = lives.last().map_or(0, |life| life.generation);
        if generation > newest {
            if let Some(last) = lives.last_mut().filter(|last| last.end == "runs") {
                (last.to, last.end) = (entry.at, "replaced".into());
            }
            lives.push(Life { generation, from: entry.at, to: end, end: "runs".into() });
        }
        let how = match entry.kind {
            EntryKind::Crashed => "crashed",
            EntryKind::Stopped => "stopped",
            _ => continue,
        };
        let Some(life) = lives.iter_mut().find(|life| life.generation == generation) else { continue };
        // A silo that has stopped may still lose its power; it ended when it stopped.
        if life.end == "runs" || life.end == "replaced" {
            (life.to, life.end) = (entry.at, how.into());
        }
    }
}
