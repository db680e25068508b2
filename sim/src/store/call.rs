//! A store operation on its way there and back.

use super::StoreState;
use super::record::{Commit, Outcome};
use super::replica::{Lost, Memories};
use crate::NodeId;
use crate::choice::Purpose;
use crate::host::Host;
use crate::queue::Event;
use crate::spread::{ns, scale};
use crate::state::{Shared, State};
use crate::trace::TraceKind;
use quark_core::{Version, hash};
use quark_env::store::{self, Batch, Committed, Partition, Record, RecordKey, ScanRange, StoreError};
use quark_env::{BoxFuture, Store};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// An operation in progress.
pub(crate) struct Call {
    node: u32,
    incarnation: u32,
    /// Its number among the node's calls: what its fate is keyed by.
    number: u64,
    request: Request,
    response: Option<Response>,
    is_answered: bool,
    /// The answer was lost; the next reply event is the caller's own timeout.
    is_timed_out: bool,
    /// Its connection drops: before it took effect, or after.
    drops: Option<Drops>,
    /// The caller no longer waits.
    is_abandoned: bool,
    waker: Option<Waker>,
    /// The newest version of the partition that its process had been told when it left.
    seen: Version,
    /// The version that the partition had when it took effect.
    counter: Version,
}

/// When the connection of an operation drops.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Drops {
    /// Before it took effect.
    Before,
    /// Before it was answered.
    After,
}

enum Request {
    Read(RecordKey),
    Commit(Batch),
    Scan(ScanRange, usize),
}

impl Request {
    /// The answer of a store that does not want to.
    fn refused(&self) -> Response {
        match self {
            Request::Read(_) => Response::Read(Err(unwilling())),
            Request::Commit(_) => Response::Commit(Err(unwilling())),
            Request::Scan(..) => Response::Scan(Err(unwilling())),
        }
    }

    fn partition(&self) -> &Partition {
        match self {
            Request::Read(key) => &key.partition,
            Request::Commit(batch) => &batch.partition,
            Request::Scan(range, _) => &range.partition,
        }
    }
}

pub(crate) enum Response {
    Read(Result<Option<Record>, StoreError>),
    Commit(Result<Committed, StoreError>),
    Scan(Result<Vec<Record>, StoreError>),
}

impl Store for Host {
    fn read(&self, key: &RecordKey) -> BoxFuture<'static, Result<Option<Record>, StoreError>> {
        let call = StoreCall::new(self, Request::Read(key.clone()));
        Box::pin(async {
            match call.await {
                Response::Read(result) => result,
                _ => unreachable!("a read is answered as a read"),
            }
        })
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'static, Result<Committed, StoreError>> {
        if let Err(error) = store::check_limits(&batch) {
            return Box::pin(std::future::ready(Err(error)));
        }
        let call = StoreCall::new(self, Request::Commit(batch));
        Box::pin(async {
            match call.await {
                Response::Commit(result) => result,
                _ => unreachable!("a commit is answered as a commit"),
            }
        })
    }

    fn scan(&self, range: ScanRange, limit: usize) -> BoxFuture<'static, Result<Vec<Record>, StoreError>> {
        let call = StoreCall::new(self, Request::Scan(range, limit));
        Box::pin(async {
            match call.await {
                Response::Scan(result) => result,
                _ => unreachable!("a scan is answered as a scan"),
            }
        })
    }

    fn history(&self) -> u64 {
        self.shared.lock().store.history
    }
}

/// The future of one operation. It leaves with the first poll.
struct StoreCall {
    shared: Arc<Shared>,
    node: u32,
    incarnation: u32,
    state: CallState,
}

enum CallState {
    Unsent(Option<Request>),
    Sent(u32),
    Done,
}

impl StoreCall {
    fn new(host: &Host, request: Request) -> Self {
        Self {
            shared: host.shared.clone(),
            node: host.node,
            incarnation: host.incarnation,
            state: CallState::Unsent(Some(request)),
        }
    }
}

impl Future for StoreCall {
    type Output = Response;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Response> {
        let this = &mut *self;
        let shared = this.shared.clone();
        let mut state = shared.lock();
        if !state.is_current(this.node, this.incarnation) {
            return Poll::Pending;
        }
        match &mut this.state {
            CallState::Unsent(request) => {
                let request = request.take().expect("a call is sent once");
                let call = state.send_call(this.node, request, cx.waker().clone());
                this.state = CallState::Sent(call);
                Poll::Pending
            }
            CallState::Sent(at) => {
                let call = state.store.calls.get_mut(*at).expect("a call lives until it is taken");
                if !call.is_answered {
                    let old = match &mut call.waker {
                        Some(same) if same.will_wake(cx.waker()) => None,
                        waker => waker.replace(cx.waker().clone()),
                    };
                    drop(state);
                    drop(old);
                    return Poll::Pending;
                }
                let call = state.store.calls.remove(*at).expect("just found");
                this.state = CallState::Done;
                Poll::Ready(call.response.expect("an answered call has a response"))
            }
            CallState::Done => panic!("a store call was polled after it had completed"),
        }
    }
}

impl Drop for StoreCall {
    fn drop(&mut self) {
        if let CallState::Sent(at) = self.state {
            let mut state = self.shared.lock();
            let call = state.store.calls.get_mut(at).expect("a call lives until it is taken");
            call.is_abandoned = true;
            let waker = call.waker.take();
            if call.is_answered {
                state.store.calls.remove(at);
            }
            drop(state);
            drop(waker);
        }
    }
}

impl State {
    fn send_call(&mut self, node: u32, request: Request, waker: Waker) -> u32 {
        let number = &mut self.nodes[node as usize].store_calls;
        *number += 1;
        let number = *number;
        let incarnation = self.nodes[node as usize].incarnation;
        let drops = self.drops(node, number);
        let seen = match self.store.replica {
            Some(_) => self.store.memories.seen(node, incarnation, request.partition()),
            None => Version(0),
        };
        let call = self.store.calls.insert(Call {
            node,
            incarnation,
            number,
            request,
            response: None,
            is_answered: false,
            is_timed_out: false,
            drops,
            is_abandoned: false,
            waker: Some(waker),
            seen,
            counter: Version(0),
        });
        self.store.meters.calls += 1;
        let entity = u64::from(node);
        let word = self.choices.word(self.now, Purpose::StoreLatency, entity, number);
        let mut latency = self.store.config.latency.draw_ns(word);
        let spike = (Purpose::StoreSpike, entity, number);
        let is_spike = self.choices.chance(self.at(), spike, self.store.config.spike_ppm);
        if is_spike {
            quark_core::reached!("sim.store.spike");
            self.store.meters.spikes += 1;
            latency += self.store.config.spike.draw_ns(hash::mix(word));
        }
        latency = latency * u64::from(self.store.slowness_milli) / 1000;
        self.effects.store_slow += u64::from(self.store.slowness_milli > 1000 || is_spike);
        // Where between the two ends it takes effect is drawn as well.
        let there = scale(latency, hash::mix(!word));
        self.queue.push(self.now + there, Event::StoreApply { call });
        self.queue.push(self.now + latency, Event::StoreReply { call });
        call
    }

    /// Whether and when the connection of this operation drops.
    fn drops(&mut self, node: u32, number: u64) -> Option<Drops> {
        let (event, entity, config) = (self.at(), u64::from(node), self.store.config);
        if !self.choices.chance(event, (Purpose::StoreDrop, entity, number), config.drop_ppm) {
            return None;
        }
        quark_core::reached!("sim.store.dropped");
        self.effects.store_dropped += 1;
        let applied = (Purpose::StoreDropApplied, entity, number);
        let is_applied = self.choices.chance(event, applied, config.drop_applied_ppm);
        Some(if is_applied { Drops::After } else { Drops::Before })
    }

    /// Whether a node reaches the store right now.
    fn reaches_store(&self, node: u32) -> bool {
        self.store.outages == 0 && self.nodes[node as usize].store_cuts == 0
    }

    /// The request is at the store.
    pub(crate) fn store_apply(&mut self, at: u32) {
        let event = self.at();
        let call = self.store.calls.get(at).expect("a call lives until it is answered");
        let (node, incarnation, entity, number) =
            (call.node, call.incarnation, u64::from(call.node), call.number);
        if !self.reaches_store(node) {
            self.effects.store_dark += 1;
            return;
        }
        if call.drops == Some(Drops::Before) {
            return;
        }
        let config = self.store.config;
        if self.choices.chance(event, (Purpose::StoreError, entity, number), config.error_ppm) {
            quark_core::reached!("sim.store.refused");
            (self.store.meters.unavailable, self.effects.store_refused) =
                (self.store.meters.unavailable + 1, self.effects.store_refused + 1);
            let call = self.store.calls.get_mut(at).expect("just found");
            call.response = Some(call.request.refused());
            return self.record(TraceKind::StoreApply, node, 1 << 61);
        }
        let call = self.store.calls.get_mut(at).expect("just found");
        let is_read = !matches!(call.request, Request::Commit(_));
        let records = match &mut self.store.replica {
            Some(replica) if is_read && self.store.stale.contains(&node) => {
                quark_core::reached!("sim.store.stale_read");
                self.store.meters.stale_reads += 1;
                replica.records(self.now)
            }
            _ => &self.store.records,
        };
        let found = records.counter(call.request.partition());
        let response = match &call.request {
            Request::Read(_) if found < call.seen => Response::Read(Err(call.went_back(found))),
            Request::Scan(..) if found < call.seen => Response::Scan(Err(call.went_back(found))),
            Request::Read(key) => Response::Read(records.read(key)),
            Request::Scan(range, limit) => Response::Scan(records.scan(range, *limit)),
            Request::Commit(batch) if found < call.seen && !self.store.records.has_written(batch) => {
                self.store.records.skip_to(&batch.partition, call.seen);
                Response::Commit(Err(call.went_back(found)))
            }
            Request::Commit(batch) => {
                let hidden = (Purpose::StoreIndeterminate, entity, number);
                let applied = (Purpose::StoreApplied, entity, number);
                let is_hidden = self.choices.chance(event, hidden, config.indeterminate_ppm);
                if is_hidden && !self.choices.chance(event, applied, config.applied_ppm) {
                    quark_core::reached!("sim.store.hidden_lost");
                    self.store.meters.hidden_lost += 1;
                    Response::Commit(Err(indeterminate()))
                } else {
                    let outcome = self.store.records.commit(batch, !self.store.is_full);
                    if let (Outcome::Applied(committed), Some(watch)) = (&outcome, &mut self.store.watch) {
                        let version = committed.version;
                        watch(&Commit { at_ns: self.now, node: NodeId(node), incarnation, batch, version });
                    }
                    if let (Outcome::Applied(committed), Some(replica)) = (&outcome, &mut self.store.replica)
                    {
                        replica.sent(self.now, node, batch, committed.version);
                    }
                    let meters = &mut self.store.meters;
                    match (outcome, is_hidden) {
                        (Outcome::Applied(_) | Outcome::Repeated(_), true) => {
                            quark_core::reached!("sim.store.hidden_applied");
                            meters.hidden_applied += 1;
                            Response::Commit(Err(indeterminate()))
                        }
                        (Outcome::Applied(committed), false) => {
                            meters.commits += 1;
                            Response::Commit(Ok(committed))
                        }
                        (Outcome::Repeated(committed), false) => {
                            meters.repeats += 1;
                            Response::Commit(Ok(committed))
                        }
                        (Outcome::NoRoom, _) => {
                            quark_core::reached!("sim.store.full");
                            meters.unavailable += 1;
                            meters.no_room += 1;
                            Response::Commit(Err(StoreError::Unavailable("its disk is full".to_owned())))
                        }
                        (Outcome::Refused(error), _) => {
                            meters.conflicts += 1;
                            Response::Commit(Err(error))
                        }
                    }
                }
            }
        };
        call.counter = match &response {
            Response::Commit(Ok(committed)) => committed.version,
            _ => found,
        };
        if response.is_went_back() {
            self.store.meters.went_back += 1;
        }
        let payload = payload(&call.request, &response);
        call.response = Some(response);
        self.record(TraceKind::StoreApply, node, payload);
    }

    /// The answer is back, or ought to be.
    pub(crate) fn store_reply(&mut self, at: u32) {
        let event = self.at();
        let call = self.store.calls.get(at).expect("a call lives until it is answered");
        let (node, number) = (call.node, call.number);
        let (is_dropped, reaches) = (call.drops.is_some(), self.reaches_store(node));
        let is_lost = !call.is_timed_out && (call.response.is_none() || !reaches || is_dropped);
        self.effects.store_dark += u64::from(is_lost && !reaches && call.response.is_some());
        let config = self.store.config;
        let call = self.store.calls.get_mut(at).expect("just found");
        if is_lost {
            // It did not take effect, or nobody hears that it did.
            let was_applied = call.response.is_some();
            let refuses = (Purpose::StoreRefuses, u64::from(node), number);
            let is_silent =
                was_applied || is_dropped || !self.choices.chance(event, refuses, config.refuses_ppm);
            call.response = Some(match &call.request {
                Request::Commit(_) if is_silent => Response::Commit(Err(indeterminate())),
                Request::Commit(_) => Response::Commit(Err(unavailable())),
                Request::Read(_) => Response::Read(Err(unavailable())),
                Request::Scan(..) => Response::Scan(Err(unavailable())),
            });
            match (&call.request, is_silent, was_applied) {
                (Request::Commit(_), true, true) => self.store.meters.hidden_applied += 1,
                (Request::Commit(_), true, false) => self.store.meters.hidden_lost += 1,
                _ => self.store.meters.unavailable += 1,
            }
            if is_silent {
                call.is_timed_out = true;
                self.queue.push(self.now + ns(config.timeout), Event::StoreReply { call: at });
                return;
            }
        }
        call.is_answered = true;
        if self.store.replica.is_some() {
            call.remember(&mut self.store.memories);
        }
        let waker = call.waker.take();
        if call.is_abandoned {
            self.store.calls.remove(at);
        }
        self.wakes.extend(waker);
        self.record(TraceKind::StoreReply, node, number);
    }
}

impl Call {
    fn went_back(&self, found: Version) -> StoreError {
        quark_core::reached!("sim.store.went_back");
        StoreError::WentBack { partition: self.request.partition().clone(), seen: self.seen, found }
    }

    /// The process is told what it was answered.
    fn remember(&self, memories: &mut Memories) {
        let partition = self.request.partition();
        match &self.response {
            Some(response) if response.is_went_back() => {
                // A commit has raised the counter, so that nobody has to remember.
                memories.lost(self.node, self.incarnation, partition, self.seen);
            }
            Some(Response::Read(Ok(_)) | Response::Scan(Ok(_)) | Response::Commit(Ok(_))) => {
                memories.saw(self.node, self.incarnation, partition, self.counter);
            }
            _ => {}
        }
    }

    /// The server that had taken this call is gone before it answered.
    fn lose_server(&mut self) {
        self.response = self.response.take().map(|response| match response {
            Response::Commit(_) => Response::Commit(Err(indeterminate())),
            Response::Read(_) => Response::Read(Err(unavailable())),
            Response::Scan(_) => Response::Scan(Err(unavailable())),
        });
    }
}

impl Response {
    fn is_went_back(&self) -> bool {
        matches!(
            self,
            Response::Read(Err(StoreError::WentBack { .. }))
                | Response::Scan(Err(StoreError::WentBack { .. }))
                | Response::Commit(Err(StoreError::WentBack { .. }))
        )
    }
}

impl StoreState {
    /// The replica takes over from the servers of some partitions; `None` if there is no replica.
    pub(crate) fn fail_over(
        &mut self,
        now: u64,
        fails: impl Fn(&Partition) -> bool,
        lives: impl Fn(NodeId, u32) -> bool,
    ) -> Option<Vec<Lost>> {
        let (replica, memories) = (self.replica.as_mut()?, &self.memories);
        let told = |partition: &Partition, version| {
            let saw = memories.who_saw(partition, version).into_iter();
            saw.filter(|(node, incarnation)| lives(*node, *incarnation)).map(|(node, _)| node).collect()
        };
        for call in self.calls.iter_mut().filter(|call| !call.is_answered && fails(call.request.partition()))
        {
            call.lose_server();
        }
        let lost = replica.take_over(now, &mut self.records, fails, told);
        self.meters.lost += lost.len() as u64;
        self.history += 1;
        Some(lost)
    }
}

fn indeterminate() -> StoreError {
    StoreError::Indeterminate("no answer came back".to_owned())
}

fn unwilling() -> StoreError {
    StoreError::Unavailable("the store refuses for now".to_owned())
}

fn unavailable() -> StoreError {
    StoreError::Unavailable("the store cannot be reached".to_owned())
}

/// What the trace keeps of an operation: enough to notice that another key or another value was involved.
fn payload(request: &Request, response: &Response) -> u64 {
    let key = match request {
        Request::Read(key) => hash::point_in(hash::point(key.partition.0.as_bytes()), key.row.as_bytes()),
        Request::Scan(range, limit) => {
            hash::point_in(hash::point(range.partition.0.as_bytes()), range.from.as_bytes()) ^ *limit as u64
        }
        Request::Commit(batch) => hash::point_in(batch.write_id.0 as u64, batch.partition.0.as_bytes()),
    };
    let outcome = match response {
        Response::Read(Ok(Some(record))) => record.version.0,
        Response::Scan(Ok(records)) => {
            records.iter().fold(0, |all, record| hash::mix(all ^ record.version.0))
        }
        Response::Commit(Ok(committed)) => committed.version.0,
        Response::Read(Ok(None)) => 1 << 63,
        _ => 1 << 62,
    };
    hash::mix(key) ^ outcome
}
