//! Replies to silos that this one has not heard of yet.
//!
//! A silo that has just joined may call at once, and its call may be sent on to one whose view is older. That one can
//! run the call, but knows no address to answer to. The reply waits for the view.

use quark_core::view::View;
use quark_core::wire::CallId;
use quark_core::{Instant, SiloId};
use std::collections::VecDeque;
use std::time::Duration;

use crate::message::Ended;

/// Bounded; the oldest gives way.
#[derive(Default)]
pub(crate) struct Parked {
    replies: VecDeque<Reply>,
}

struct Reply {
    to: SiloId,
    call: CallId,
    ended: Ended,
    until: Instant,
}

const REPLIES_MAX: usize = 1024;
/// A view is read within five seconds, if nothing tells of it sooner.
const PATIENCE: Duration = Duration::from_secs(6);

impl Parked {
    /// Keeps a reply for a while. Returns until when, and whether another gave way.
    pub fn park(&mut self, now: Instant, to: SiloId, call: CallId, ended: Ended) -> (Instant, bool) {
        let full = self.replies.len() >= REPLIES_MAX;
        if full {
            self.replies.pop_front();
        }
        let until = now + PATIENCE;
        self.replies.push_back(Reply { to, call, ended, until });
        (until, full)
    }

    /// Takes out what the view knows an address for, and what nobody waits for any more.
    pub fn take_known(&mut self, view: &View) -> Vec<(SiloId, CallId, Ended)> {
        let known =
            |reply: &Reply| view.named(reply.to.name).is_some_and(|m| m.id.generation >= reply.to.generation);
        let (known, unknown): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut self.replies).into_iter().partition(known);
        self.replies = unknown;
        known.into_iter().map(|reply| (reply.to, reply.call, reply.ended)).collect()
    }

    /// Drops what has waited for too long. Returns when the next one has, and how many were dropped.
    pub fn expire(&mut self, now: Instant) -> (Option<Instant>, usize) {
        let before = self.replies.len();
        while self.replies.front().is_some_and(|reply| reply.until <= now) {
            self.replies.pop_front();
        }
        (self.replies.front().map(|reply| reply.until), before - self.replies.len())
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.replies.len()
    }
}
