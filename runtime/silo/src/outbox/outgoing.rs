//! What a commit has to do with letters: those it writes, gives up, forgets, and the one it takes.

use super::delivery::{WAKE, WAKE_EVERY};
use super::letter::{Letter, LetterId, row_of};
use super::post::Post;
use super::seen::mark_row;
use crate::activation::Activation;
use crate::durable::Claim;
use crate::kernel::Kernel;
use crate::message::Ended;
use crate::staging::Staging;
use quark_core::codec::{self, CodecError};
use quark_core::reminder::IndexRow;
use quark_core::{ActorId, WallTime, mutant};
use quark_env::store::{BATCH_OPS_MAX, Op};
use std::sync::Arc;

/// Of one commit, until it has succeeded.
#[derive(Default)]
pub(crate) struct Mail {
    written: Vec<(LetterId, Letter)>,
    withdrawn: Vec<LetterId>,
    deleted: Vec<LetterId>,
    taken: Option<(ActorId, LetterId)>,
    wake_at: Option<WallTime>,
}

impl Claim {
    /// The writes of this turn, with those of earlier ones that it can do along the way.
    pub fn mail_of(
        &mut self,
        staging: Option<&Staging>,
        ended: &Ended,
        ops: &mut Vec<Op>,
    ) -> Result<Mail, CodecError> {
        let mut mail = Mail::default();
        if let Some(staging) = staging {
            let staged = staging.outbox.take();
            let next = LetterId { epoch: self.epoch, number: self.letters_written };
            self.letters_written += staged.letters.len() as u64;
            mail.withdrawn.clone_from(&staged.withdrawn);
            mail.written = staged.writes(next, ops)?;
            // One that could not be run has not been taken.
            let ran = matches!(ended, Ended::Ok(_) | Ended::App(_));
            mail.taken = staging.letter.clone().filter(|_| ran);
        }
        if let Some((from, id)) = &mail.taken
            && !mutant!("m31")
        {
            ops.push(Op::Put { row: mark_row(from).into(), value: codec::encode(id, 64)? });
        }
        if let Some(post) = &self.post {
            // One for the state.
            mail.deleted = post.deletable((BATCH_OPS_MAX - 1).saturating_sub(ops.len()));
            ops.extend(mail.deleted.iter().map(|id| Op::Delete { row: row_of(*id).into() }));
        }
        Ok(mail)
    }
}

impl Mail {
    /// The letter that the turn takes, and its sender.
    pub fn taken(&self) -> Option<(&ActorId, LetterId)> {
        self.taken.as_ref().map(|(from, id)| (from, *id))
    }

    /// The letters that the turn gives up.
    pub fn withdrawn(&self) -> &[LetterId] {
        &self.withdrawn
    }

    /// The row by which the sender is woken, should its silo not live to see its letters taken. It is due so that there
    /// is one for as long as letters wait, and not a new one for each.
    pub fn wake_row(&mut self, kernel: &Kernel, actor: &ActorId, claim: &Claim) -> Option<IndexRow> {
        if self.written.is_empty() {
            return None;
        }
        let now = kernel.agreed_time();
        if claim.wake_at.is_some_and(|at| at > now.after(WAKE_EVERY / 2)) {
            return None;
        }
        let due = now.after(WAKE_EVERY);
        self.wake_at = Some(due);
        Some(IndexRow { actor: actor.clone(), name: WAKE.into(), due })
    }

    /// The commit has succeeded: what it wrote goes on its way.
    pub fn committed(self, kernel: &Arc<Kernel>, activation: &Arc<Activation>, claim: &mut Claim) {
        if let Some((from, id)) = self.taken {
            claim.seen.note(&from, Some(id));
        }
        if self.wake_at.is_some() {
            claim.wake_at = self.wake_at;
        }
        if let Some(post) = &claim.post {
            post.deleted(&self.deleted);
            post.withdrawn(&self.withdrawn);
        }
        if !self.written.is_empty() {
            let empty = || Arc::new(Post::new(Vec::new(), kernel.letters.clone()));
            let post = claim.post.get_or_insert_with(empty);
            post.add(self.written);
            kernel.deliver_letters(activation, post);
        }
    }
}
