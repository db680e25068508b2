//! What a turn says about its actor's letters. Nothing of it holds before the turn's commit.

use super::letter::{Letter, LetterId, row_of};
use super::post::{LetterStatus, Post, WAITING_MAX};
use crate::call::Call;
use crate::kept_call::{UnfitArguments, kept};
use crate::kernel::Kernel;
use parking_lot::Mutex;
use quark_core::ActorId;
use quark_core::codec::{self, CodecError};
use quark_env::store::Op;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The most letters that one turn writes or withdraws.
pub const TURN_MAX: usize = 64;

/// Why a letter was not written. Nothing happened.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OutboxError {
    /// Letters are committed with the state, by a turn that has the actor to itself.
    #[error("letters are written in an exclusive turn of a durable kind: `{kind}` {reason}")]
    NoCommit {
        /// The actor's kind.
        kind: String,
        /// What is missing.
        reason: &'static str,
    },
    /// No silo of this contract knows the receiver's kind.
    #[error("no actor of kind `{kind}` is registered: register it with the silo, or correct the name")]
    UnknownKind {
        /// The receiver's kind.
        kind: String,
    },
    /// The receiver could not remember that it has taken the letter.
    #[error("a letter takes effect once, which `{kind}` cannot remember: make it durable, or `tell` it")]
    NotDurable {
        /// The receiver's kind.
        kind: String,
    },
    /// The method has no effect to be committed.
    #[error("a letter calls a method that takes `&mut self`: `{method}` takes `&self`")]
    SharedMethod {
        /// The method.
        method: &'static str,
    },
    /// The arguments cannot be encoded, or are too large to be kept.
    #[error("the arguments of `{method}` cannot be kept: {reason}")]
    Arguments {
        /// The method.
        method: String,
        /// What is wrong.
        reason: String,
    },
    /// Too much in one turn.
    #[error("a turn writes or withdraws {TURN_MAX} letters at most: spread {actor}'s over several turns")]
    TooManyInTurn {
        /// The sender.
        actor: ActorId,
    },
    /// Receivers do not keep up.
    #[error(
        "{actor} has {WAITING_MAX} letters that nobody has taken yet, which is the most: refuse the work that would write \
         more, and look at `Outbox::waiting` for what holds them up"
    )]
    Full {
        /// The sender.
        actor: ActorId,
    },
}

/// What a turn has said so far.
pub(crate) struct TurnOutbox {
    /// What earlier turns have committed.
    post: Option<Arc<Post>>,
    kernel: Arc<Kernel>,
    staged: Mutex<StagedLetters>,
    written: AtomicBool,
}

/// What a turn wants committed.
#[derive(Default)]
pub(crate) struct StagedLetters {
    pub letters: Vec<Letter>,
    pub withdrawn: Vec<LetterId>,
}

impl TurnOutbox {
    pub fn new(post: Option<Arc<Post>>, kernel: Arc<Kernel>) -> Self {
        Self { post, kernel, staged: Mutex::default(), written: AtomicBool::new(false) }
    }

    /// Whether the turn has written or given up a letter.
    pub fn has_written(&self) -> bool {
        self.written.load(Ordering::Relaxed)
    }

    /// Takes what the turn has said; what it says later is lost.
    pub fn take(&self) -> StagedLetters {
        std::mem::take(&mut *self.staged.lock())
    }
}

impl StagedLetters {
    /// The writes of the actor's own rows, and the letters by their ids.
    pub fn writes(
        self,
        mut next: LetterId,
        ops: &mut Vec<Op>,
    ) -> Result<Vec<(LetterId, Letter)>, CodecError> {
        ops.extend(self.withdrawn.iter().map(|id| Op::Delete { row: row_of(*id).into() }));
        let mut letters = Vec::with_capacity(self.letters.len());
        for letter in self.letters {
            let value = codec::encode(&letter, quark_env::store::VALUE_BYTES_MAX)?;
            ops.push(Op::Put { row: row_of(next).into(), value });
            letters.push((next, letter));
            next.number += 1;
        }
        Ok(letters)
    }
}

/// The letters of the actor whose turn this is. What is written holds from the turn's commit on, together with its state,
/// or not at all.
pub struct Outbox<'a> {
    pub(crate) actor: &'a ActorId,
    pub(crate) turn: &'a TurnOutbox,
    /// The request context of the turn.
    pub(crate) headers: &'a [(String, String)],
}

impl Outbox<'_> {
    /// Sends a call that takes effect once, if and when this turn commits: not if it fails, and never twice, through
    /// crashes of either side, for as long as it takes. Nobody waits for its result. Letters of one actor to another are
    /// taken in the order of their writing; towards other calls there is no order.
    ///
    /// A receiver that refuses (`Err` of its own) has taken it. One that cannot take it, because it panics, or a silo of
    /// an older version has no such method, is tried again with a growing pause of up to 30 s, and what comes after waits.
    ///
    /// Errors: each names what is wrong; nothing is sent then.
    pub fn send<R, E>(&self, call: Call<R, E>) -> Result<(), OutboxError> {
        let letter = self.letter(call)?;
        let mut staged = self.turn.staged.lock();
        if staged.letters.len() + staged.withdrawn.len() >= TURN_MAX {
            return Err(OutboxError::TooManyInTurn { actor: self.actor.clone() });
        }
        let waiting = self.turn.post.as_ref().map_or(0, |post| post.waiting());
        if waiting + staged.letters.len() >= WAITING_MAX {
            return Err(OutboxError::Full { actor: self.actor.clone() });
        }
        staged.letters.push(letter);
        self.turn.written.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn letter<R, E>(&self, call: Call<R, E>) -> Result<Letter, OutboxError> {
        let request = kept(call)
            .map_err(|UnfitArguments { method, reason }| OutboxError::Arguments { method, reason })?;
        let name = || request.actor.kind().to_owned();
        let Some(kind) = self.turn.kernel.registry.kind(request.actor.kind()) else {
            return Err(OutboxError::UnknownKind { kind: name() });
        };
        if !kind.durable {
            return Err(OutboxError::NotDurable { kind: name() });
        }
        if request.shared {
            return Err(OutboxError::SharedMethod { method: request.method_name });
        }
        let headers = self.headers.iter().cloned().chain(request.headers).collect();
        Ok(Letter { to: request.actor, method: request.method, args: request.args, headers })
    }

    /// The letters of earlier turns that nobody has taken yet, receiver by receiver.
    pub fn waiting(&self) -> Vec<LetterStatus> {
        self.turn.post.as_ref().map(|post| post.list()).unwrap_or_default()
    }

    /// Gives a letter up, from this turn's commit on. It may have been taken all the same, if only its answer was lost.
    /// `false` if it does not wait (any more).
    ///
    /// Errors: [`OutboxError::TooManyInTurn`].
    pub fn withdraw(&self, letter: LetterId) -> Result<bool, OutboxError> {
        if !self.waiting().iter().any(|waiting| waiting.id == letter) {
            return Ok(false);
        }
        let mut staged = self.turn.staged.lock();
        if staged.letters.len() + staged.withdrawn.len() >= TURN_MAX {
            return Err(OutboxError::TooManyInTurn { actor: self.actor.clone() });
        }
        if !staged.withdrawn.contains(&letter) {
            staged.withdrawn.push(letter);
            self.turn.written.store(true, Ordering::Relaxed);
        }
        Ok(true)
    }
}
