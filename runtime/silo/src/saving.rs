//! `ctx.save(self)`: the commit that an actor of a kind with `save = manual` asks for, in the midst of its turn.
//!
//! The claim belongs to whoever holds the turn, and a handler may keep its context for longer. So the claim is lent to the
//! turn, behind a lock, and taken back at its end: what a context asks for after that finds nothing.

use crate::durable::{Claim, CommitError};
use crate::error::Failure;
use crate::kernel::Kernel;
use crate::observer::Event;
use bytes::Bytes;
use quark_core::{ActorId, Instant, reached};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Mutex;

/// Why the state was not saved.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SaveError {
    /// Saving is not for this turn. Did it happen: no. Retry: no.
    #[error("`{kind}` cannot be saved here: {reason}")]
    NotHere {
        /// The actor's kind.
        kind: String,
        /// Why not, and what to do instead.
        reason: &'static str,
    },
    /// The commit failed; the failure says whether it happened and whether to try again. After
    /// [`Failure::Indeterminate`] the next save finds out first. After [`Failure::Fenced`] this activation ends with the
    /// turn.
    #[error(transparent)]
    Failed(#[from] Failure),
}

pub(crate) const NO_TURN: &str =
    "its kind is not `save = manual`, or the turn takes `&self`, or it is the hook `on_activate`";
pub(crate) const OVER: &str = "the turn of this context has ended: save before the method returns";
pub(crate) const AT_THE_END: &str = "the turn has an idempotency key, or runs for a reminder: it commits at its end, by \
                                     itself, because its effect is to happen once";

/// The right to commit, for as long as a turn lasts.
pub(crate) struct Lent {
    kernel: Arc<Kernel>,
    /// This turn commits at its end.
    at_the_end: bool,
    claim: Mutex<Option<Claim>>,
    fenced: AtomicBool,
}

impl Lent {
    pub fn new(kernel: Arc<Kernel>, claim: Claim, at_the_end: bool) -> Self {
        Self { kernel, at_the_end, claim: Mutex::new(Some(claim)), fenced: AtomicBool::new(false) }
    }

    /// Commits this state.
    pub async fn save(&self, actor: &ActorId, state: Bytes, deadline: Instant) -> Result<(), SaveError> {
        let not_here = |reason| SaveError::NotHere { kind: actor.kind().into(), reason };
        if self.at_the_end {
            return Err(not_here(AT_THE_END));
        }
        let mut claim = self.claim.lock().await;
        let claim = claim.as_mut().ok_or_else(|| not_here(OVER))?;
        let epoch = claim.epoch;
        match self.kernel.commit_turn(actor, claim, state, Vec::new(), deadline).await {
            Ok(None) => Ok(()),
            Ok(Some(version)) => {
                self.kernel.stats.commits.fetch_add(1, Ordering::Relaxed);
                self.kernel.observe(|| Event::Committed { actor, epoch, version });
                Ok(())
            }
            Err(error) => {
                if error.is_fenced() {
                    reached!("saving.fenced");
                    self.fenced.store(true, Ordering::Relaxed);
                }
                if error == CommitError::Fenced {
                    self.kernel.observe(|| Event::Fenced { actor, epoch });
                }
                Err(error.into_failure(actor).into())
            }
        }
    }

    /// The turn has ended. A save that somebody else waits for ends first.
    pub async fn take_back(&self) -> Option<Claim> {
        self.claim.lock().await.take()
    }

    /// Whether a save has found that another activation owns the actor.
    pub fn is_fenced(&self) -> bool {
        self.fenced.load(Ordering::Relaxed)
    }
}
