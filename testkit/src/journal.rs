//! A workload's own vocabulary in the one history: what was asked for, and how it ended, in the types of its model.

use crate::checkers::{Checker, Linear};
use crate::model::Model;
use crate::recorder::Recorder;
use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Something that a workload of a model did.
#[derive(Clone, Debug)]
pub struct UserRecord {
    /// In which journal.
    pub journal: Arc<str>,
    /// Which operation: never used again in this journal.
    pub op_id: u64,
    /// What.
    pub event: UserEvent,
}

/// What became of an operation. The values are of the types of the journal's model.
#[derive(Clone, Debug)]
pub enum UserEvent {
    /// It is about to be asked for.
    Invoked {
        /// By which client.
        client: u64,
        /// What.
        op: Typed,
    },
    /// It happened, and was answered so.
    Ok(Typed),
    /// It did not happen and will not.
    Failed,
    /// Nobody knows; it may yet happen.
    Unknown,
}

/// A value of a type that only its model knows. Cheap to clone.
#[derive(Clone)]
pub struct Typed(Arc<dyn Value>);

trait Value: Any + fmt::Debug + Send + Sync {
    fn as_any(&self) -> &dyn Any;
}

impl<T: Any + fmt::Debug + Send + Sync> Value for T {
    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Typed {
    /// Hides the type of a value.
    pub fn new<T: Any + fmt::Debug + Send + Sync>(value: T) -> Self {
        Self(Arc::new(value))
    }

    /// The value, if it is of this type.
    pub fn get<T: Any>(&self) -> Option<&T> {
        (*self.0).as_any().downcast_ref()
    }
}

impl fmt::Debug for Typed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (*self.0).fmt(f)
    }
}

/// Where a workload writes its operations down. From [`Recorder::journal`]; cheap to clone.
///
/// ```
/// use quark_core::Instant;
/// use quark_testkit::checkers::check_all;
/// use quark_testkit::model::Counter;
/// use quark_testkit::recorder::Recorder;
/// use std::sync::Arc;
///
/// let recorder = Recorder::new(Arc::new(|| Instant(0)));
/// let journal = recorder.journal("counts", Counter);
/// let add = journal.invoke(1, ("visitors".to_owned(), 5));
/// add.ok(5);
/// let look = journal.invoke(2, ("visitors".to_owned(), 0));
/// look.ok(4);
/// let report = check_all(&recorder.history(), &recorder.checkers());
/// assert!(!report.is_clean(), "nobody can have counted to four");
/// ```
pub struct Journal<M: Model> {
    name: Arc<str>,
    model: Arc<M>,
    recorder: Arc<Recorder>,
    next: Arc<AtomicU64>,
}

impl<M: Model> Clone for Journal<M> {
    fn clone(&self) -> Self {
        let Self { name, model, recorder, next } = self;
        Self { name: name.clone(), model: model.clone(), recorder: recorder.clone(), next: next.clone() }
    }
}

impl<M: Model> Journal<M> {
    pub(crate) fn new(name: &str, model: M, recorder: Arc<Recorder>) -> Self {
        Self { name: name.into(), model: Arc::new(model), recorder, next: Arc::default() }
    }

    /// The checker that holds this journal against its model.
    pub fn checker(&self) -> Arc<dyn Checker> {
        Arc::new(Linear::shared(&self.name, self.model.clone()))
    }

    /// A client is about to ask for this. What is returned has to be told how it ended; if it is dropped before, nobody
    /// knows.
    pub fn invoke(&self, client: u64, op: M::Op) -> Open<M> {
        let op_id = self.next.fetch_add(1, Ordering::Relaxed);
        self.write(op_id, UserEvent::Invoked { client, op: Typed::new(op) });
        Open { journal: self.clone(), op_id, ended: false }
    }

    fn write(&self, op_id: u64, event: UserEvent) {
        self.recorder.user(UserRecord { journal: self.name.clone(), op_id, event });
    }
}

/// An operation that has no end yet.
#[must_use = "an operation that is dropped has ended unknown"]
pub struct Open<M: Model> {
    journal: Journal<M>,
    op_id: u64,
    ended: bool,
}

impl<M: Model> Open<M> {
    /// It happened, and was answered so.
    pub fn ok(self, answer: M::Answer) {
        self.end(UserEvent::Ok(Typed::new(answer)));
    }

    /// It did not happen and will not: the runtime says so.
    pub fn failed(self) {
        self.end(UserEvent::Failed);
    }

    /// Nobody knows; it may yet happen.
    pub fn unknown(self) {
        self.end(UserEvent::Unknown);
    }

    /// As the runtime says it: an answer, or a failure that knows whether it happened.
    pub fn outcome<E>(
        self,
        outcome: Result<M::Answer, quark::CallError<E>>,
        refused: impl FnOnce(E) -> M::Answer,
    ) {
        match outcome {
            Ok(answer) => self.ok(answer),
            Err(quark::CallError::App(error)) => self.ok(refused(error)),
            Err(quark::CallError::Failed(failure)) if failure.happened() == quark::Happened::No => {
                self.failed()
            }
            Err(quark::CallError::Failed(_)) => self.unknown(),
        }
    }

    fn end(mut self, event: UserEvent) {
        self.ended = true;
        self.journal.write(self.op_id, event);
    }
}

impl<M: Model> Drop for Open<M> {
    fn drop(&mut self) {
        if !self.ended {
            self.journal.write(self.op_id, UserEvent::Unknown);
        }
    }
}
