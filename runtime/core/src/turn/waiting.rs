//! What waits for a turn, under the short lock beside the word: who gets in, who runs next, and how it ends.
//!
//! None of these functions waits or wakes anybody. Those that change the word say so; what else has to be said to it is
//! the caller's, after the lock: [`Turn::mark_queued`] once a message is in.

use super::{Access, Turn};
use crate::mailbox::{Admit, Mailbox};
use crate::mutant;
use crate::wire::Lane;

/// The queue of an activation.
#[derive(Debug)]
pub struct Waiting<M> {
    mailbox: Mailbox<M>,
    is_closed: bool,
    doomed: Option<&'static str>,
}

/// What becomes of a message that asks to wait.
#[derive(Debug)]
#[must_use = "who waits has to be marked, who is refused has to be told"]
pub enum Enter<M> {
    /// It waits: let the lock go, then call [`Turn::mark_queued`].
    Queued,
    /// The activation is gone: find the actor anew.
    Closed(M),
    /// The mailbox is full. It did not happen, and its sender may retry later.
    Overloaded(M),
}

/// What whoever holds the drain right runs next.
#[derive(Debug)]
#[must_use = "what is taken out of a mailbox and not run is lost"]
pub enum Next<M> {
    /// Nothing waits: give the turn back with [`Turn::end`], whose answer may be to look again.
    Nothing,
    /// A shared turn has found, for this reason, that the activation must end, and all of them are over now.
    Discard(&'static str),
    /// The turn stays exclusive.
    Exclusive(M),
    /// They run side by side. The turn is shared among them already: each calls [`Turn::end`].
    Shared(Vec<M>),
}

impl<M> Waiting<M> {
    /// Nothing waits yet.
    pub const fn new(mailbox: Mailbox<M>) -> Self {
        Self { mailbox, is_closed: false, doomed: None }
    }

    /// Lets a message wait at the end of its lane. `bytes` is what it counts for against the mailbox's bound.
    pub fn enter(&mut self, lane: Lane, message: M, bytes: usize) -> Enter<M> {
        // The deliberate bug m85: an activation that is gone still lets messages wait.
        if self.is_closed && !mutant!("m85") {
            return Enter::Closed(message);
        }
        match self.mailbox.admit(lane, message, bytes) {
            Admit::Accepted => Enter::Queued,
            Admit::Overloaded { message, .. } => Enter::Overloaded(message),
        }
    }

    /// Takes what runs next: one exclusive message, or the shared ones at the head, at most `shared_max`, for which
    /// `turn` is shared before anybody else can look at the queue. The caller holds the turn exclusively.
    ///
    /// Panics: if `shared_max` is zero, or nobody holds the turn exclusively.
    pub fn next(&mut self, turn: &Turn, shared_max: usize, access: impl Fn(&M) -> Access) -> Next<M> {
        assert!(shared_max > 0, "a drainer that may take nothing would drain for ever");
        if let Some(reason) = self.doomed {
            return Next::Discard(reason);
        }
        let Some(first) = self.mailbox.pop() else { return Next::Nothing };
        if access(&first) == Access::Exclusive {
            return Next::Exclusive(first);
        }
        let mut messages = vec![first];
        while messages.len() < shared_max {
            let Some(message) = self.mailbox.pop_if(|m| access(m) == Access::Shared) else { break };
            messages.push(message);
        }
        let count = u32::try_from(messages.len()).expect("more turns than memory holds");
        turn.share(count, !self.mailbox.is_empty());
        Next::Shared(messages)
    }

    /// Takes out the first message that `wanted` names, if it has not begun.
    pub fn withdraw(&mut self, wanted: impl FnMut(&M) -> bool) -> Option<M> {
        self.mailbox.withdraw(wanted)
    }

    /// The activation is to end as soon as nobody runs; the first reason counts. The caller's shared turn runs, so that
    /// somebody is left who looks.
    pub fn doom(&mut self, reason: &'static str) {
        self.doomed.get_or_insert(reason);
    }

    /// Takes nothing any more; returns what waited, in order. The caller holds the turn exclusively.
    pub fn close(&mut self) -> Vec<M> {
        self.is_closed = true;
        self.mailbox.drain()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.mailbox.is_empty()
    }

    /// The mailbox, to look at.
    pub fn mailbox(&self) -> &Mailbox<M> {
        &self.mailbox
    }
}
