//! The one task that owns the core.

use super::handle::{Handle, Progress};
use super::table_store::TableStore;
use super::{ControlSender, MembershipEvents};
use futures_util::future::BoxFuture;
use quark_core::membership::table::StoreFault;
use quark_core::membership::{Action, Config, Input, Membership, RequestId};
use quark_core::{Instant, buggify};
use quark_env::{Clock, Entropy, EntropyExt, Env};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// Drives a [`Membership`] until it stops.
pub struct MembershipDriver {
    core: Membership,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    tables: TableStore,
    sender: Arc<dyn ControlSender>,
    events: Arc<dyn MembershipEvents>,
    handle: Handle,
    /// Store operations under way, oldest first.
    operations: Vec<(RequestId, BoxFuture<'static, Input>)>,
    timer: Option<(Instant, quark_env::Sleep)>,
    inputs: Vec<Input>,
    actions: Vec<Action>,
}

impl MembershipDriver {
    /// Joins as the transport's own id, which [`super::join_identity`] has reserved, and spawns the task.
    ///
    /// `address` is where the transport listens, `contract_digest` what the silo serves; both go into its row.
    ///
    /// Panics: if the configuration contradicts itself.
    pub fn start(
        env: Env,
        config: Config,
        address: String,
        contract_digest: u64,
        sender: Arc<dyn ControlSender>,
        events: Arc<dyn MembershipEvents>,
    ) -> Handle {
        let me = env.transport.local();
        let handle = Handle::new(me);
        let driver = Self {
            core: Membership::new(config, me, &address, contract_digest, env.entropy.u64("membership")),
            clock: env.clock.clone(),
            entropy: env.entropy.clone(),
            tables: TableStore::new(env.store.clone(), env.entropy.clone()),
            sender,
            events,
            handle: handle.clone(),
            operations: Vec::new(),
            timer: None,
            inputs: vec![Input::Start],
            actions: Vec::new(),
        };
        // The membership ends with the silo, which aborts its tasks; nobody waits for this one.
        let _task = env.spawner.spawn_boxed("membership", Box::pin(driver.run()));
        handle
    }

    async fn run(mut self) {
        loop {
            if self.inputs.is_empty() {
                poll_fn(|cx| self.poll_inputs(cx)).await;
            }
            // Read after everything has arrived: nothing is taken for earlier than it was.
            let now = if quark_core::mutant!("m28") { now_of_the_machine() } else { self.clock.now() };
            for input in std::mem::take(&mut self.inputs) {
                if matches!(input, Input::TableRead { .. }) {
                    self.handle.0.table_was_read();
                }
                self.core.step(now, input, &mut self.actions);
                self.handle.0.set_lease_until(self.core.lease_until());
                self.perform();
            }
            if self.core.is_stopped() {
                return self.handle.0.close();
            }
        }
    }

    /// Ready once there is an input: an arrival, a finished operation, or a deadline, looked at in that order.
    fn poll_inputs(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.handle.0.take_inputs(cx, &mut self.inputs);
        let inputs = &mut self.inputs;
        self.operations.retain_mut(|(_, operation)| match operation.as_mut().poll(cx) {
            Poll::Ready(input) => {
                inputs.push(input);
                false
            }
            Poll::Pending => true,
        });
        let is_due = match self.inputs.is_empty() {
            true => self.poll_deadline(cx).is_ready(),
            false => buggify!(self.entropy, "membership_wakes_for_nothing"),
        };
        if is_due {
            self.inputs.push(Input::Timer);
        }
        if self.inputs.is_empty() { Poll::Pending } else { Poll::Ready(()) }
    }

    /// A timer that was set for an earlier deadline is let run out: deadlines mostly move later, and a stray wake-up
    /// is cheaper than a new timer per message.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.core.next_deadline() else {
            self.timer = None;
            return Poll::Pending;
        };
        loop {
            if self.timer.as_ref().is_none_or(|(at, _)| *at > deadline) {
                self.timer = Some((deadline, self.clock.sleep_until(deadline)));
            }
            let (at, sleep) = self.timer.as_mut().expect("just set");
            if Pin::new(sleep).poll(cx).is_pending() {
                return Poll::Pending;
            }
            let reached = *at >= deadline;
            self.timer = None;
            if reached {
                return Poll::Ready(());
            }
        }
    }

    fn perform(&mut self) {
        for action in std::mem::take(&mut self.actions) {
            match action {
                Action::ReadTable { request, known } => {
                    let read = self.tables.read(known);
                    self.operate(request, async move {
                        // A table that was there before and is not any more is no table to rely on.
                        let result = match read.await {
                            Ok(None) if known.is_none() => Err(StoreFault::Unusable(NO_TABLE.into())),
                            result => result,
                        };
                        Input::TableRead { request, result }
                    });
                }
                Action::ReadLease { request, name } => {
                    let read = self.tables.read_lease(name);
                    self.operate(request, async move { Input::LeaseRead { request, result: read.await } });
                }
                Action::Commit { request, change } => {
                    let commit = self.tables.commit(&change);
                    // A lease counts from now, and not from when the request for it leaves.
                    let late = buggify!(self.entropy, "membership_writes_late");
                    let late = late.then(|| self.clock.sleep_until(self.clock.now() + LATE));
                    self.operate(request, async move {
                        if let Some(late) = late {
                            late.await;
                        }
                        Input::Committed { request, result: commit.await }
                    });
                }
                Action::Send { to, msg } => self.sender.send(to, msg),
                Action::Publish(view) => {
                    self.handle.0.view.store(view.clone());
                    self.events.view_changed(view);
                }
                Action::LeaseHeld { until } => self.events.lease_held(until),
                Action::LeaseLost => self.events.lease_lost(),
                Action::Forget { peer, reason } => self.sender.forget(peer, reason),
                Action::Joined { id } => {
                    self.progress(Progress::Active);
                    self.events.joined(id);
                }
                Action::Draining => self.progress(Progress::Draining),
                Action::Stop { reason } => {
                    self.handle.0.set_lease_until(Instant::ZERO);
                    self.progress(Progress::Stopped(reason.clone()));
                    self.events.must_stop(reason.to_string());
                }
            }
        }
    }

    fn operate(&mut self, request: RequestId, operation: impl Future<Output = Input> + Send + 'static) {
        if self.operations.len() >= OPERATIONS_MAX {
            // The core has long given up on it.
            quark_core::reached!("membership.operation.dropped");
            drop(self.operations.remove(0));
        }
        self.operations.push((request, Box::pin(operation)));
    }

    fn progress(&self, progress: Progress) {
        self.handle.0.progress_to(progress);
    }
}

/// The deliberate bug m28: a clock that is no part of the world that the silo was handed.
#[expect(clippy::disallowed_types, reason = "planted, so that the simulator proves that it notices")]
fn now_of_the_machine() -> Instant {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("the machine's clock is past 1970");
    Instant::ZERO + since
}

/// A store that never answers must not make us remember every question.
const OPERATIONS_MAX: usize = 64;
/// How late a change of the table leaves that has a whim: longer than most silos wait for its answer.
const LATE: Duration = Duration::from_millis(300);
const NO_TABLE: &str = "the store has no membership table, though this silo has a row in it: was it emptied?";
