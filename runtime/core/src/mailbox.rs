//! What waits for an activation's turn: two lanes, bounded in messages and in bytes.
//!
//! Control messages and replies never wait behind user messages (promise P8), and each lane has bounds of its own, so
//! a flood of user messages cannot push a control message out either (promise P9). Overload is an answer, never a
//! silent drop: whoever is refused gets the message back and says so to its sender.

#[cfg(test)]
mod tests;

use crate::wire::Lane;
use std::collections::VecDeque;

/// The bounds of each lane.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MailboxLimits {
    /// The most messages in a lane.
    pub messages_max: usize,
    /// The most bytes in a lane, as the senders counted them.
    pub bytes_max: usize,
}

impl Default for MailboxLimits {
    /// 1000 messages, 8 MiB.
    fn default() -> Self {
        Self { messages_max: 1000, bytes_max: 8 << 20 }
    }
}

/// What became of a message that asked to enter.
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use = "who is refused has to be told"]
pub enum Admit<M> {
    /// It waits; it will be popped, withdrawn or drained, exactly once.
    Accepted,
    /// The lane is full. The message is handed back: it did not happen, and its sender may retry later.
    Overloaded {
        /// The message.
        message: M,
        /// How many messages the lane holds.
        queued: usize,
        /// How many bytes the lane holds.
        bytes: usize,
        /// The lane's bounds.
        limit: MailboxLimits,
    },
}

/// What went through a mailbox since it was made: messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MailboxMeters {
    /// Let in.
    pub admitted: u64,
    /// Turned away.
    pub refused: u64,
    /// Taken out to be handled.
    pub popped: u64,
    /// Taken out because their senders no longer wanted them.
    pub withdrawn: u64,
    /// Taken out at the end of the activation, to go elsewhere.
    pub drained: u64,
}

/// The two lanes. A mailbox that never held anything has allocated nothing.
#[derive(Clone, Debug)]
pub struct Mailbox<M> {
    control: LaneQueue<M>,
    user: LaneQueue<M>,
    limits: MailboxLimits,
    meters: MailboxMeters,
}

impl<M> Mailbox<M> {
    /// Empty.
    pub const fn new(limits: MailboxLimits) -> Self {
        let meters = MailboxMeters { admitted: 0, refused: 0, popped: 0, withdrawn: 0, drained: 0 };
        Self { control: LaneQueue::new(), user: LaneQueue::new(), limits, meters }
    }

    /// Lets a message in at the end of its lane, or hands it back.
    ///
    /// An empty lane takes a message of any size: refused for its bytes alone it could never get in, however often
    /// its sender retried. The wire's limits bound it.
    pub fn admit(&mut self, lane: Lane, message: M, bytes: usize) -> Admit<M> {
        let limit = self.limits;
        // A deliberate bug: control messages share the users' queue.
        let lane = if crate::mutant!("m24") { Lane::User } else { lane };
        let queue = match lane {
            Lane::Control => &mut self.control,
            Lane::User => &mut self.user,
        };
        let queued = queue.messages.len();
        let has_room = queued < limit.messages_max && queue.bytes.saturating_add(bytes) <= limit.bytes_max;
        if queued > 0 && !has_room {
            self.meters.refused += 1;
            crate::reached!("mailbox.overloaded");
            return Admit::Overloaded { message, queued, bytes: queue.bytes, limit };
        }
        queue.push(message, bytes);
        self.meters.admitted += 1;
        Admit::Accepted
    }

    /// The message that [`Mailbox::pop`] would take.
    pub fn peek(&self) -> Option<&M> {
        self.control.front().or_else(|| self.user.front())
    }

    /// Takes the next message: control before user, each in the order admitted.
    pub fn pop(&mut self) -> Option<M> {
        let message = self.control.pop().or_else(|| self.user.pop())?;
        self.meters.popped += 1;
        Some(message)
    }

    /// Takes the next message if `wanted` says so. A drainer collects a run of shared turns with it.
    pub fn pop_if(&mut self, wanted: impl FnOnce(&M) -> bool) -> Option<M> {
        if wanted(self.peek()?) { self.pop() } else { None }
    }

    /// Takes out the first message that `wanted` names: its sender no longer waits for it.
    ///
    /// Linear in the messages queued, of which there are few.
    pub fn withdraw(&mut self, mut wanted: impl FnMut(&M) -> bool) -> Option<M> {
        let message = self.control.withdraw(&mut wanted).or_else(|| self.user.withdraw(&mut wanted))?;
        self.meters.withdrawn += 1;
        Some(message)
    }

    /// Takes everything out, in the order in which it would have been popped.
    pub fn drain(&mut self) -> Vec<M> {
        let messages: Vec<M> = self.control.take().chain(self.user.take()).collect();
        self.meters.drained += messages.len() as u64;
        messages
    }

    /// How many messages wait.
    pub fn len(&self) -> usize {
        self.control.messages.len() + self.user.messages.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.control.messages.is_empty() && self.user.messages.is_empty()
    }

    /// How many bytes wait, as their senders counted them.
    pub fn bytes(&self) -> usize {
        self.control.bytes + self.user.bytes
    }

    /// What went through so far.
    pub fn meters(&self) -> MailboxMeters {
        self.meters
    }

    /// Panics: if a message was lost, made up, or miscounted.
    pub fn check(&self) {
        let MailboxMeters { admitted, popped, withdrawn, drained, .. } = self.meters;
        assert_eq!(
            admitted,
            popped + withdrawn + drained + self.len() as u64,
            "accepted is handled or queued"
        );
        for lane in [&self.control, &self.user] {
            assert!(lane.messages.len() <= self.limits.messages_max.max(1), "a lane is bounded in messages");
            assert!(
                lane.bytes <= self.limits.bytes_max || lane.messages.len() == 1,
                "a lane is bounded in bytes"
            );
            debug_assert_eq!(lane.bytes, lane.messages.iter().map(|(_, bytes)| bytes).sum::<usize>());
        }
    }
}

impl<M> Default for Mailbox<M> {
    fn default() -> Self {
        Self::new(MailboxLimits::default())
    }
}

/// One lane: messages with their sizes, and the sum of the sizes.
#[derive(Clone, Debug)]
struct LaneQueue<M> {
    messages: VecDeque<(M, usize)>,
    bytes: usize,
    /// Messages have waited here more than once.
    is_used_again: bool,
}

impl<M> LaneQueue<M> {
    const fn new() -> Self {
        Self { messages: VecDeque::new(), bytes: 0, is_used_again: false }
    }

    fn push(&mut self, message: M, bytes: usize) {
        self.bytes += bytes;
        self.messages.push_back((message, bytes));
    }

    fn front(&self) -> Option<&M> {
        self.messages.front().map(|(message, _)| message)
    }

    fn pop(&mut self) -> Option<M> {
        let (message, bytes) = self.messages.pop_front()?;
        self.bytes -= bytes;
        self.release();
        Some(message)
    }

    fn withdraw(&mut self, wanted: &mut impl FnMut(&M) -> bool) -> Option<M> {
        let at = self.messages.iter().position(|(message, _)| wanted(message))?;
        let (message, bytes) = self.messages.remove(at).expect("the position was just found");
        self.bytes -= bytes;
        self.release();
        Some(message)
    }

    fn take(&mut self) -> impl Iterator<Item = M> + use<M> {
        self.bytes = 0;
        std::mem::take(&mut self.messages).into_iter().map(|(message, _)| message)
    }

    /// Gives a burst's memory back once it is over. A few slots stay, lest steady light traffic allocate each time; but
    /// none the first time, when a message has waited until its actor was there, and perhaps no other ever will.
    fn release(&mut self) {
        if !self.messages.is_empty() {
            return;
        }
        if self.messages.capacity() > SLOTS_KEPT || !self.is_used_again {
            self.messages = VecDeque::new();
        }
        self.is_used_again = true;
    }
}

/// The slots that an empty lane may keep.
const SLOTS_KEPT: usize = 8;
