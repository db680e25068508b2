//! `ctx.save(self)`: the commit that an actor of a kind with `save = manual` asks for, in the midst of its turn.
//!
//! The claim belongs to whoever holds the turn, and a handler may keep its context for longer. So the claim is lent to the
//! turn and taken back at its end: what a context asks for after that finds nothing. A save has the claim to itself, and
//! puts it back also when nobody polls it any more. One that is left half done somewhere costs its activation, and never
//! makes the next turn wait.

use crate::actor::Actor;
use crate::because::Because;
use crate::durable::{Claim, CommitError};
use crate::error::Failure;
use crate::kernel::Kernel;
use crate::slots::Image;
use parking_lot::Mutex;
use quark_core::{ActorId, Instant, reached};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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
pub(crate) const UNDER_WAY: &str = "another save of this turn is under way: await it first";
pub(crate) const AT_THE_END: &str = "the turn has an idempotency key, runs for a reminder, or takes or has written \
                                     letters: it commits at its end, by itself, because its effect is to happen once";

/// The right to commit, for as long as a turn lasts.
pub(crate) struct Lent {
    kernel: Arc<Kernel>,
    /// This turn commits at its end.
    at_the_end: bool,
    claim: Mutex<Place>,
    fenced: AtomicBool,
}

/// Where the claim is.
enum Place {
    Here(Box<Claim>),
    /// A save has it.
    Out,
    /// The turn is over.
    Over,
}

/// A save under way.
struct Saving<'a> {
    lent: &'a Lent,
    claim: Option<Box<Claim>>,
}

impl Drop for Saving<'_> {
    fn drop(&mut self) {
        let mut place = self.lent.claim.lock();
        if let (Place::Out, Some(claim)) = (&*place, self.claim.take()) {
            *place = Place::Here(claim);
        }
    }
}

impl Lent {
    pub fn new(kernel: Arc<Kernel>, claim: Box<Claim>, at_the_end: bool) -> Self {
        Self { kernel, at_the_end, claim: Mutex::new(Place::Here(claim)), fenced: AtomicBool::new(false) }
    }

    /// Commits this actor as it is.
    pub async fn save<A: Actor>(&self, id: &ActorId, actor: &A, deadline: Instant) -> Result<(), SaveError> {
        let not_here = |reason| SaveError::NotHere { kind: id.kind().into(), reason };
        if self.at_the_end {
            return Err(not_here(AT_THE_END));
        }
        let mut saving = self.begin().map_err(not_here)?;
        let claim = saving.claim.as_mut().expect("it has just been put there");
        let image = Image::of(actor, &claim.slots).map_err(|unfit| unfit.into_failure(id))?;
        let because = Because::default();
        let saved = self.kernel.commit_turn(id, claim, image, Vec::new(), deadline, because).await;
        if saved.as_ref().is_err_and(CommitError::is_fenced) {
            reached!("saving.fenced");
            self.fenced.store(true, Ordering::Relaxed);
        }
        saved.map(|_| ()).map_err(|error| error.into_failure(id).into())
    }

    fn begin(&self) -> Result<Saving<'_>, &'static str> {
        let mut place = self.claim.lock();
        match std::mem::replace(&mut *place, Place::Out) {
            Place::Here(claim) => Ok(Saving { lent: self, claim: Some(claim) }),
            Place::Out => Err(UNDER_WAY),
            Place::Over => {
                *place = Place::Over;
                Err(OVER)
            }
        }
    }

    /// The turn has ended. `None`: a save is still under way, in hands that are not the turn's.
    pub fn take_back(&self) -> Option<Box<Claim>> {
        match std::mem::replace(&mut *self.claim.lock(), Place::Over) {
            Place::Here(claim) => Some(claim),
            Place::Out | Place::Over => None,
        }
    }

    /// Whether a save has found that another activation owns the actor.
    pub fn is_fenced(&self) -> bool {
        self.fenced.load(Ordering::Relaxed)
    }
}
