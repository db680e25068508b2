//! The store in one SQLite file, shared by the processes of one machine: the embedded default.
//!
//! Chosen because it is the only embedded engine that several processes may open at once and that is trusted with a
//! power cut. Its price is one writer at a time for the whole file; group commit makes that affordable (see
//! `writer.rs`), and reads never wait for it.
//!
//! *What becomes of acknowledged commits.* A process that dies, also by `kill -9`, loses none. A power cut loses none
//! with [`Durability::Full`], provided that the disk has written what it says it has synced; with
//! [`Durability::Normal`] it may lose the latest: at most those since the log was last copied into the file. If the end of
//! the log is lost, torn or damaged, what is lost is a tail of
//! whole commits: each is there with all it wrote, or not at all, and no later one without the earlier ones. Nobody is
//! left who could notice, since all who share the file end with the machine; but no version that was lost is given out
//! again, as a file that is opened in another boot begins an era (`era.rs`). `docs/durability.md` has it at length. A full
//! disk refuses commits as unavailable, loses nothing, and needs no restart when there is room again. A changed byte
//! of a value, of its version or of what is stored with it is found by a checksum when it is read, and never
//! returned; a changed byte in a *key* hides its record, which [`Options::verify_on_open`] finds.
//!
//! Every operation is queued when it is called, not when its future is first polled: a commit whose future is dropped
//! still happens. The futures need no particular executor.
#![deny(missing_docs)]

mod apply;
mod era;
mod fault;
mod known;
mod open;
mod options;
mod queue;
mod reader;
mod schema;
mod verify;
mod writer;

pub use open::OpenError;
pub use options::{Durability, Options};

use known::Known;
use quark_env::store::{Batch, Committed, Record, RecordKey, ScanRange, StoreError, check_limits};
use quark_env::{BoxFuture, Store};
use queue::{Queue, Refusal};
use reader::{Question, Reader};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use tokio::sync::oneshot;
use writer::{Pending, Writer};

/// A [`Store`] in an SQLite file.
///
/// Dropping it works off what is queued and then ends its threads; it waits for them.
pub struct SqliteStore {
    path: PathBuf,
    commits: Arc<Queue<Pending>>,
    questions: Arc<Queue<Question>>,
    /// The writer first.
    threads: Vec<JoinHandle<()>>,
}

impl SqliteStore {
    /// Opens a file, creating it if it does not exist (its folder must). Other processes, and other stores of this
    /// process, may have it open.
    ///
    /// Blocks for disk access and, while another process is creating the same file, up to the busy time-out.
    ///
    /// Errors: each names what is wrong and what to do about it. Nothing was changed in the file.
    ///
    /// Panics: if the options ask for no reader.
    pub fn open(path: impl AsRef<Path>, options: Options) -> Result<Self, OpenError> {
        assert!(options.readers > 0, "a store needs a thread that reads");
        let path = path.as_ref();
        let commits = Arc::new(Queue::new(options.queue_commits_max, options.queue_bytes_max));
        let questions = Arc::new(Queue::new(QUEUE_QUESTIONS_MAX, usize::MAX));
        let (connection, floor) = open::open_first(path, &options)?;
        let readers = (0..options.readers)
            .map(|_| open::open_further(path, &options))
            .collect::<Result<Vec<_>, _>>()?;

        // From here on `store` is dropped on failure, which ends the threads that were started.
        let mut store = Self { path: path.into(), commits: commits.clone(), questions, threads: Vec::new() };
        let writer = Writer {
            path: path.into(),
            connection,
            queue: commits,
            busy_timeout: options.busy_timeout,
            floor,
            known: Known::default(),
        };
        store.start("quark-db-write", move || writer.run())?;
        for connection in readers {
            let reader = Reader { connection, queue: store.questions.clone() };
            store.start("quark-db-read", move || reader.run())?;
        }
        Ok(store)
    }

    fn start(&mut self, name: &str, body: impl FnOnce() + Send + 'static) -> Result<(), OpenError> {
        let thread = thread::Builder::new().name(name.into()).spawn(body);
        let thread = thread
            .map_err(|error| OpenError::Other { path: self.path.clone(), reason: error.to_string() })?;
        self.threads.push(thread);
        Ok(())
    }

    fn ask<T: Send + 'static>(
        &self,
        question: Question,
        answer: oneshot::Receiver<Result<T, StoreError>>,
    ) -> BoxFuture<'static, Result<T, StoreError>> {
        let queued = self.questions.push(question, 0);
        Box::pin(async move {
            queued.map_err(unavailable)?;
            // A read that got no answer changed nothing.
            answer.await.unwrap_or_else(|_| Err(StoreError::Unavailable("its thread has ended".into())))
        })
    }
}

impl Store for SqliteStore {
    fn read(&self, key: &RecordKey) -> BoxFuture<'static, Result<Option<Record>, StoreError>> {
        let (reply, answer) = oneshot::channel();
        self.ask(Question::Read { key: key.clone(), reply }, answer)
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'static, Result<Committed, StoreError>> {
        let (reply, answer) = oneshot::channel();
        let queued = match check_limits(&batch) {
            Ok(()) => {
                let bytes = batch.bytes_held();
                self.commits.push(Pending { batch, reply }, bytes).map_err(unavailable)
            }
            Err(too_large) => Err(too_large),
        };
        Box::pin(async move {
            queued?;
            answer.await.unwrap_or_else(|_| {
                Err(StoreError::Indeterminate("the thread that commits ended without an answer".into()))
            })
        })
    }

    fn scan(&self, range: ScanRange, limit: usize) -> BoxFuture<'static, Result<Vec<Record>, StoreError>> {
        let (reply, answer) = oneshot::channel();
        self.ask(Question::Scan { range, limit, reply }, answer)
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        // The readers go first: whoever closes the last connection of all processes copies the log into the file
        // and removes it, and two that close at the same moment would leave that to each other.
        self.questions.finish();
        let this = thread::current().id();
        for (at, thread) in self.threads.drain(..).enumerate().rev() {
            if at == 0 {
                self.commits.finish();
            }
            // A reply's waker may drop the last handle of a store, on the store's own thread: it cannot wait for
            // itself, and ends when it returns to its queue.
            if thread.thread().id() != this {
                let _ = thread.join(); // a panic has been reported where it happened
            }
        }
    }
}

impl std::fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SqliteStore").field(&self.path).finish()
    }
}

fn unavailable(refusal: Refusal) -> StoreError {
    quark_core::reached!("sqlite.queue.refused");
    StoreError::Unavailable(refusal.to_string())
}

/// How many reads may wait. They hold little more than their key.
const QUEUE_QUESTIONS_MAX: usize = 65_536;
