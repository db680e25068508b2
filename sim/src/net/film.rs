//! The lives of frames, told to whoever watches: sent, held up, copied, damaged, delivered, taken or dropped.
//!
//! Nobody watches unless asked to ([`WorldHandle::watch_frames`](crate::WorldHandle::watch_frames)); then a frame costs a
//! comparison for each step of its life. Watching changes nothing: no choice is drawn for it, and no event is traced.

use super::Net;
use crate::node::NodeId;
use bytes::Bytes;
use quark_core::SiloId;
use quark_core::wire::Lane;

/// One step in the life of a frame.
#[derive(Debug)]
pub struct FrameEvent<'a> {
    /// When, in nanoseconds of true time.
    pub at_ns: u64,
    /// Which frame: the number of frames that were accepted before it and with it.
    pub frame: u64,
    /// Whether it is a copy that the network made. A copy has the number of its original.
    pub is_copy: bool,
    /// What happened.
    pub step: FrameStep<'a>,
}

/// What happens to a frame. The first step is always `Sent` (of a copy: `Copied`); after `Taken` or `Dropped` there is none.
#[derive(Debug)]
pub enum FrameStep<'a> {
    /// A transport accepted it.
    Sent {
        /// Where.
        from_node: NodeId,
        /// By whom.
        from: SiloId,
        /// For whom.
        to: SiloId,
        /// Where that is, if its address names a node.
        to_node: Option<NodeId>,
        /// In which lane.
        lane: Lane,
        /// Its bytes.
        bytes: &'a Bytes,
    },
    /// It waits for its path to clear.
    Held,
    /// The network made a copy of it.
    Copied,
    /// A byte of it was flipped, or its end cut off.
    Damaged,
    /// It is in an inbox.
    Delivered {
        /// Of this node.
        to_node: NodeId,
    },
    /// The receiver has read it.
    Taken,
    /// It is gone.
    Dropped(FrameLoss),
}

/// Why a frame is gone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum FrameLoss {
    /// The path lost it.
    Lost,
    /// A cut or a half-open link swallowed it.
    Swallowed,
    /// Its link broke or was dropped before it left.
    Unsent,
    /// Nobody was there, or the receiver had forgotten the sender.
    Undeliverable,
}

/// Is told of every step. Runs while the world is locked.
pub(crate) type FrameWatch = Box<dyn FnMut(&FrameEvent<'_>) + Send>;

impl Net {
    /// Tells whoever watches.
    #[inline]
    pub(crate) fn film(&mut self, at_ns: u64, frame: u64, is_copy: bool, step: FrameStep<'_>) {
        if let Some(watch) = &mut self.watch {
            watch(&FrameEvent { at_ns, frame, is_copy, step });
        }
    }

    /// These frames waited for a link that broke, or was dropped.
    pub(crate) fn drop_unsent(&mut self, at_ns: u64, frames: &[u64]) {
        self.meters.unsent += frames.len() as u64;
        for frame in frames {
            self.film(at_ns, *frame, false, FrameStep::Dropped(FrameLoss::Unsent));
        }
    }
}
