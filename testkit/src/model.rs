//! What operations mean, said as a sequential machine: the search for a linear order holds a history against it.
//!
//! A model of a user's own is a dozen lines, and needs nothing of this crate but the trait. Those that come with it are
//! [`Register`], [`Counter`], [`Balance`] and [`Log`].

mod balance;
mod counter;
mod log;
mod register;

pub use balance::{Balance, Shown};
pub use counter::Counter;
pub use log::{Log, LogAnswer, LogOp};
pub use register::{Register, RegisterOp};

use std::fmt::Debug;

/// What operations of one kind do, one after the other.
///
/// Keys are independent of one another: a history is searched key by key, because what is linearizable for each key is
/// linearizable (Herlihy and Wing, *Linearizability*, 1990, theorem 1). So an operation touches one key.
///
/// ```
/// use quark_testkit::model::Model;
///
/// /// A lock that one client holds at a time.
/// struct Lock;
///
/// #[derive(Clone, PartialEq, Debug)]
/// enum LockOp {
///     Take { name: String, client: u64 },
///     Leave { name: String, client: u64 },
/// }
///
/// impl Model for Lock {
///     type Key = String;
///     /// Who holds it.
///     type State = Option<u64>;
///     type Op = LockOp;
///     /// Whether it did what was asked for.
///     type Answer = bool;
///
///     fn key(&self, op: &LockOp) -> String {
///         let (LockOp::Take { name, .. } | LockOp::Leave { name, .. }) = op;
///         name.clone()
///     }
///
///     fn initial(&self, _: &String) -> Option<u64> {
///         None
///     }
///
///     fn apply(&self, holder: &Option<u64>, op: &LockOp) -> (Option<u64>, bool) {
///         match op {
///             LockOp::Take { client, .. } if holder.is_none() => (Some(*client), true),
///             LockOp::Leave { client, .. } if *holder == Some(*client) => (None, true),
///             _ => (*holder, false),
///         }
///     }
/// }
/// ```
pub trait Model: Send + Sync + 'static {
    /// What operations are kept apart by: an actor, say.
    type Key: Clone + Ord + Debug;
    /// What there is of one key.
    type State: Clone + Ord + Debug;
    /// What can be asked for.
    type Op: Clone + PartialEq + Debug + Send + Sync + 'static;
    /// What is answered.
    type Answer: Clone + PartialEq + Debug + Send + Sync + 'static;

    /// The key that the operation touches.
    fn key(&self, op: &Self::Op) -> Self::Key;

    /// What there is of a key before its first operation.
    fn initial(&self, key: &Self::Key) -> Self::State;

    /// What the operation makes of a state, and what it answers.
    fn apply(&self, state: &Self::State, op: &Self::Op) -> (Self::State, Self::Answer);

    /// The state after the operation, if it can have answered so in this one. For models in which more than one answer is
    /// right; what is not overridden goes by [`Model::apply`].
    fn explain(&self, state: &Self::State, op: &Self::Op, answer: &Self::Answer) -> Option<Self::State> {
        let (after, expected) = self.apply(state, op);
        (expected == *answer).then_some(after)
    }

    /// Whether no further operations among `open` can lead from this state to one in which the operation is answered so. The
    /// search is as right without it, and faster with it: it need not try what is past all hope.
    fn is_hopeless(
        &self,
        _state: &Self::State,
        _op: &Self::Op,
        _answer: &Self::Answer,
        _open: &[&Self::Op],
    ) -> bool {
        false
    }

    /// Whether the operation never changes anything: one that nobody was answered is left out of the search.
    fn is_read(&self, _op: &Self::Op) -> bool {
        false
    }
}
