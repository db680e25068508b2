//! The frames of a telling: what the simulator says of each step of their lives, in order.

use super::head::FrameHead;
use parking_lot::Mutex;
use quark_core::wire::Lane;
use quark_core::{Instant, SiloId};
use quark_sim::{FrameEvent, FrameLoss, FrameStep};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A frame.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Frame {
    /// Its number. A copy that the network made has that of its original.
    pub number: u64,
    /// Whether it is such a copy.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_copy: bool,
    /// From which node: a position in the lanes.
    pub from: u32,
    /// To which node, if its address names one.
    pub to: Option<u32>,
    /// The incarnation that sent it, and the one that it is meant for.
    pub silos: (String, String),
    /// `control` or `user`.
    pub lane: String,
    /// What it is: `request`, `reply`, `probe`, ..
    pub what: String,
    /// Its length.
    pub bytes: u32,
    /// The event of its sending.
    pub sent: u32,
    /// The event of its arrival or of its loss; `None` if it was still under way at the end.
    pub end: Option<u32>,
    /// What became of it.
    pub fate: Fate,
    /// When the receiver read it, in nanoseconds of true time.
    #[serde(rename = "taken_ns", default, skip_serializing_if = "Option::is_none")]
    pub taken: Option<Instant>,
    /// Whether it had to wait for its path to clear.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub was_held: bool,
    /// Whether it arrived damaged.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_damaged: bool,
}

/// What became of a frame.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It was still under way at the end.
    UnderWay,
    /// It arrived.
    Delivered,
    /// Dropped: the path lost it.
    Lost,
    /// Dropped: a cut or a half-open link swallowed it.
    Swallowed,
    /// Dropped: its link broke before it left.
    Unsent,
    /// Dropped: nobody was there, or the receiver had forgotten the sender.
    Undeliverable,
}

impl Fate {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::UnderWay => "still under way at the end",
            Self::Delivered => "delivered",
            Self::Lost => "lost on its path",
            Self::Swallowed => "swallowed by a cut or a dead link",
            Self::Unsent => "dropped with its link before it left",
            Self::Undeliverable => "dropped: nobody was there who would take it",
        }
    }
}

impl From<FrameLoss> for Fate {
    fn from(loss: FrameLoss) -> Self {
        match loss {
            FrameLoss::Lost => Self::Lost,
            FrameLoss::Swallowed => Self::Swallowed,
            FrameLoss::Unsent => Self::Unsent,
            FrameLoss::Undeliverable => Self::Undeliverable,
        }
    }
}

/// A step in the life of a frame, and its place among the records of the history.
#[derive(Clone, Debug)]
pub(super) struct Shot {
    pub(super) at: Instant,
    /// How many records were written before it.
    pub(super) after: usize,
    pub(super) number: u64,
    pub(super) is_copy: bool,
    pub(super) what: Happening,
}

#[derive(Clone, Debug)]
pub(super) enum Happening {
    Sent(Box<Sending>),
    Copied,
    Held,
    Damaged,
    Delivered,
    Taken,
    Dropped(Fate),
}

#[derive(Clone, Debug)]
pub(super) struct Sending {
    /// Indices of the world's nodes.
    pub(super) from_node: usize,
    pub(super) to_node: Option<usize>,
    pub(super) from: SiloId,
    pub(super) to: SiloId,
    pub(super) lane: Lane,
    pub(super) bytes: usize,
    pub(super) head: FrameHead,
}

/// Everything that the frames of a world did. Cheap to clone: both see the same.
#[derive(Clone, Default)]
pub(super) struct Film(Arc<Mutex<Vec<Shot>>>);

impl Film {
    /// One more step. Runs while the world is locked.
    pub(super) fn take(&self, event: &FrameEvent<'_>, after: usize) {
        let what = match &event.step {
            FrameStep::Sent { from_node, from, to, to_node, lane, bytes } => {
                Happening::Sent(Box::new(Sending {
                    from_node: from_node.index(),
                    to_node: to_node.map(|node| node.index()),
                    from: *from,
                    to: *to,
                    lane: *lane,
                    bytes: bytes.len(),
                    head: FrameHead::of(*from, *to, bytes),
                }))
            }
            FrameStep::Held => Happening::Held,
            FrameStep::Copied => Happening::Copied,
            FrameStep::Damaged => Happening::Damaged,
            FrameStep::Delivered { .. } => Happening::Delivered,
            FrameStep::Taken => Happening::Taken,
            FrameStep::Dropped(loss) => Happening::Dropped((*loss).into()),
        };
        let (at, number, is_copy) = (Instant(event.at_ns), event.frame, event.is_copy);
        self.0.lock().push(Shot { at, after, number, is_copy, what });
    }

    /// All of it; the film goes on empty.
    pub(super) fn cut(&self) -> Vec<Shot> {
        std::mem::take(&mut *self.0.lock())
    }
}
