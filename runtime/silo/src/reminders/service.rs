//! The one task of a silo that fires the reminders of its shards.

use super::agreed::Times;
use super::announce::Notice;
use super::firing::{FIRE, Fire};
use crate::call::{CallRequest, Issuer};
use crate::caller::Scope;
use crate::control::ControlMessage;
use crate::kernel::Kernel;
use bytes::Bytes;
use futures_util::future::{Either, select};
use parking_lot::Mutex;
use quark_core::codec::{self, CodecLimits};
use quark_core::reminder::{
    Action, Answer, Counts, IndexRow, Input, MoveError, Reminders, RequestId, RowKey, ScanFailed,
    ScannedRows, Shard, StoredRow,
};
use quark_core::{ActorId, Instant, SiloId, Version, WallTime, WriteId, mutant, reached};
use quark_env::store::{Batch, Record, ScanRange, StoreError};
use quark_env::{EntropyExt, Sleep};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// What the rest of the silo shares with the task.
#[derive(Default)]
pub(crate) struct Service {
    inbox: Mutex<Inbox>,
    /// The task's core, once it runs: whoever wants to know what it is doing asks it.
    core: Mutex<Option<Arc<Mutex<Reminders>>>>,
    words: Mutex<Words>,
    /// Those of the newest view that was taken in.
    owned: Mutex<Vec<Shard>>,
    pub clock: Mutex<Times>,
}

#[derive(Default)]
struct Inbox {
    inputs: VecDeque<Input>,
    waker: Option<Waker>,
}

/// Notices that wait for an answer, of others and of ours.
#[derive(Default)]
struct Words {
    owed: BTreeMap<u64, (SiloId, u64)>,
    unacknowledged: BTreeSet<u64>,
    next: u64,
}

/// The most notices of others that are answered; they say again what is not.
const OWED_MAX: usize = 4096;
/// With so many inputs waiting, what others say is dropped.
const OTHERS_MAX: usize = 4096;
/// How long a read or a commit of the index may take before it is tried again.
const STORE_PATIENCE: Duration = Duration::from_secs(10);
/// How long a firing may take.
const FIRE_PATIENCE: Duration = Duration::from_secs(30);

impl Service {
    pub fn push(&self, input: Input) {
        let mut inbox = self.inbox.lock();
        inbox.inputs.push_back(input);
        if let Some(waker) = &inbox.waker {
            waker.wake_by_ref();
        }
    }

    /// As [`Service::push`], for what others say: not without a bound, since they say it again.
    pub fn push_of_others(&self, input: impl FnOnce() -> Input) {
        if self.inbox.lock().inputs.len() >= OTHERS_MAX {
            reached!("reminders.too_many_notices");
            return;
        }
        self.push(input());
    }

    /// What it is doing.
    pub fn counts(&self) -> Counts {
        let core = self.core.lock().clone();
        core.map(|core| core.lock().counts()).unwrap_or_default()
    }

    /// Notes an announcement of ours; its number.
    pub fn announce(&self) -> u64 {
        let mut words = self.words.lock();
        words.next += 1;
        let number = words.next;
        words.unacknowledged.insert(number);
        number
    }

    pub fn acknowledged(&self, number: u64) {
        self.words.lock().unacknowledged.remove(&number);
    }

    pub fn is_unacknowledged(&self, number: u64) -> bool {
        self.words.lock().unacknowledged.contains(&number)
    }

    /// Notes whom an acknowledgement is owed; its number here.
    pub fn owe(&self, to: SiloId, number: u64) -> u64 {
        let mut words = self.words.lock();
        words.next += 1;
        let ours = words.next;
        if words.owed.len() >= OWED_MAX {
            reached!("reminders.too_many_owed");
            words.owed.pop_first();
        }
        words.owed.insert(ours, (to, number));
        ours
    }

    fn take(&self, cx: &Context<'_>, into: &mut Vec<Input>) {
        let mut inbox = self.inbox.lock();
        into.extend(inbox.inputs.drain(..));
        if !inbox.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            inbox.waker = Some(cx.waker().clone());
        }
    }
}

impl Kernel {
    /// Tells the service which shards are ours by the newest view, if this silo has one: without durable kinds it has not.
    pub(crate) fn own_shards(self: &Arc<Self>) {
        if !self.registry.has_durable() {
            return;
        }
        let ours = Shard::all().filter(|shard| self.owner_of(*shard) == Some(self.id));
        let mut shards: Vec<Shard> = ours.collect();
        if mutant!("m09") {
            shards.pop();
        }
        let before = std::mem::replace(&mut *self.reminders.owned.lock(), shards.clone());
        for lost in before.into_iter().filter(|shard| !shards.contains(shard)) {
            // The new owner may have read it before the last rows of which we have said that we shall look in time.
            reached!("reminders.shard_handed_over");
            self.announce(lost, WallTime(0));
        }
        self.ask_the_time_soon();
        self.reminders.push(Input::Owned { shards });
    }

    /// Fires reminders until the silo stops.
    pub(crate) async fn remind(self: Arc<Self>) {
        let seed = self.env.entropy.u64("reminders");
        let core = Arc::new(Mutex::new(Reminders::new(self.config.reminders.clone(), seed)));
        *self.reminders.core.lock() = Some(core.clone());
        let mut driver = Driver {
            core,
            kernel: self,
            wall: WallTime(0),
            timer: None,
            inputs: Vec::new(),
            actions: Vec::new(),
        };
        while !driver.kernel.is_stopped() {
            poll_fn(|cx| driver.poll_inputs(cx)).await;
            driver.kernel.ask_the_time_if_due();
            let now = driver.kernel.env.clock.now();
            // Before the time is known, nothing is due.
            let known = driver.kernel.knows_the_time();
            let wall = if known { driver.kernel.agreed_time() } else { WallTime(0) };
            driver.wall = wall;
            for input in std::mem::take(&mut driver.inputs) {
                driver.core.lock().step(now, wall, input, &mut driver.actions);
                driver.perform();
            }
        }
    }
}

struct Driver {
    core: Arc<Mutex<Reminders>>,
    kernel: Arc<Kernel>,
    /// The time of the last step.
    wall: WallTime,
    timer: Option<(Instant, Sleep)>,
    inputs: Vec<Input>,
    actions: Vec<Action>,
}

impl Driver {
    /// Ready once there is an input: an arrival, an answer, or a deadline.
    fn poll_inputs(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.kernel.reminders.take(cx, &mut self.inputs);
        if self.inputs.is_empty() && self.poll_deadline(cx).is_ready() {
            self.inputs.push(Input::Tick);
        }
        if self.inputs.is_empty() { Poll::Pending } else { Poll::Ready(()) }
    }

    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let ask_at = self.kernel.next_question_at();
        let deadline = self.core.lock().next_deadline().map_or(ask_at, |at| at.min(ask_at));
        if self.timer.as_ref().is_none_or(|(at, _)| *at != deadline) {
            self.timer = Some((deadline, self.kernel.env.clock.sleep_until(deadline)));
        }
        let (_, sleep) = self.timer.as_mut().expect("just set");
        let polled = sleep.as_mut().poll(cx);
        if polled.is_ready() {
            self.timer = None;
        }
        polled
    }

    fn perform(&mut self) {
        for action in std::mem::take(&mut self.actions) {
            let (kernel, now) = (self.kernel.clone(), self.wall);
            match action {
                Action::Scan { request, shard, from, limit } => self.spawn(async move {
                    let read = kernel.within_patience(scan(kernel.clone(), shard, from, limit)).await;
                    Input::Scanned { request, result: read.unwrap_or(Err(ScanFailed)) }
                }),
                Action::Fire { request, actor, name, due } => {
                    self.spawn(async move { fire(kernel, request, actor, Fire { name, due, now }).await });
                }
                Action::MoveRow { request, shard, old, version, next } => self.spawn(async move {
                    let moved = move_row(kernel.clone(), shard, old, version, next);
                    let result = kernel.within_patience(moved).await;
                    Input::RowMoved { request, result: result.unwrap_or(Err(MoveError::Unavailable)) }
                }),
                Action::Acknowledge { message } => {
                    let owed = kernel.reminders.words.lock().owed.remove(&message);
                    match owed {
                        Some((to, number)) if to == kernel.id => kernel.reminders.acknowledged(number),
                        Some((to, number)) => {
                            kernel
                                .send_control(to, &ControlMessage::Reminder(Notice::Acknowledged { number }));
                        }
                        None => {}
                    }
                }
            }
        }
    }

    /// Performing an action never waits: its answer comes back as an input.
    fn spawn(&self, operation: impl Future<Output = Input> + Send + 'static) {
        let kernel = self.kernel.clone();
        let task = async move {
            let input = operation.await;
            kernel.reminders.push(input);
        };
        self.kernel.env.spawner.spawn_boxed("reminder", Box::pin(task));
    }
}

impl Kernel {
    /// `None` if it takes too long.
    async fn within_patience<T>(&self, operation: impl Future<Output = T>) -> Option<T> {
        let patience = self.env.clock.sleep_until(self.env.clock.now() + STORE_PATIENCE);
        match select(Box::pin(operation), patience).await {
            Either::Left((result, _)) => Some(result),
            Either::Right(_) => None,
        }
    }
}

async fn scan(
    kernel: Arc<Kernel>,
    shard: Shard,
    from: RowKey,
    limit: usize,
) -> Result<ScannedRows, ScanFailed> {
    let mut from = from.to_string();
    loop {
        let range =
            ScanRange { partition: shard.partition().as_str().into(), from: from.into(), to: "".into() };
        let page = kernel.env.store.scan(range, limit).await.map_err(|_| ScanFailed)?;
        let more = page.len() == limit;
        let rows: Vec<StoredRow> = page.iter().filter_map(read_row).collect();
        if !rows.is_empty() || !more {
            return Ok(ScannedRows { rows, more });
        }
        // A page of rows that nobody understands must not hide the others.
        from = format!("{}\0", page.last().expect("a full page has a last row").key.row);
    }
}

fn read_row(record: &Record) -> Option<StoredRow> {
    let key = RowKey::parse(&record.key.row);
    let row: Result<IndexRow, _> = codec::decode(&record.value, CodecLimits::default());
    match (key, row) {
        (Some(key), Ok(row)) => Some(StoredRow { key, row, version: record.version }),
        (_, row) => {
            reached!("reminders.index_row_refused");
            tracing::error!(
                partition = ?record.key.partition, row = %record.key.row, error = ?row.err(),
                "a row of the reminder index cannot be understood: delete it by hand once its actor's reminders are seen to"
            );
            None
        }
    }
}

async fn move_row(
    kernel: Arc<Kernel>,
    shard: Shard,
    old: RowKey,
    version: Version,
    next: Option<IndexRow>,
) -> Result<Version, MoveError> {
    let write_id = WriteId(kernel.env.entropy.u128("write-id"));
    let old = old.to_string();
    let mut batch =
        Batch::new(shard.partition().as_str(), write_id).expect_version(&old, version).delete(&old);
    if let Some(next) = next {
        batch = batch.put(&next.key().to_string(), encode_index(&next));
    }
    match kernel.env.store.commit(batch).await {
        Ok(committed) => Ok(committed.version),
        Err(StoreError::Conflict { .. }) => Err(MoveError::Conflict),
        Err(_) => Err(MoveError::Unavailable),
    }
}

/// As it is stored.
pub(crate) fn encode_index(row: &IndexRow) -> Bytes {
    codec::encode(row, 4096).expect("an actor's id and a reminder's name are short")
}

async fn fire(kernel: Arc<Kernel>, request: RequestId, actor: ActorId, fire: Fire) -> Input {
    let args = codec::encode(&fire, 4096).expect("a reminder's name is short");
    let scope = Scope::of_silo(kernel);
    let call = CallRequest {
        actor,
        method: FIRE,
        method_name: "a reminder",
        shared: false,
        args,
        deadline: Some(FIRE_PATIENCE),
        idempotency: None,
        headers: Vec::new(),
    };
    let answer = match scope.ask(call).await {
        Ok(bytes) => match codec::decode::<Option<WallTime>>(&bytes, CodecLimits::default()) {
            Ok(next) => Answer::Advanced { next },
            Err(_) => Answer::Failed,
        },
        Err(outcome) => {
            reached!("reminders.fire_failed");
            tracing::debug!(?outcome, "a reminder was not fired: it is tried again");
            Answer::Failed
        }
    };
    Input::FireAnswered { request, answer }
}
