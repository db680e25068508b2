//! What the rest of the silo holds of its membership.

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use quark_core::membership::{Input, MembershipMessage, StopReason};
use quark_core::view::View;
use quark_core::{Instant, SiloId, ViewVersion};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Waker};
use tokio::sync::Notify;

/// A running membership. Cheap to clone.
#[derive(Clone)]
pub struct Handle(pub(super) Arc<Shared>);

pub(super) struct Shared {
    pub(super) id: SiloId,
    inbox: Mutex<Inbox>,
    pub(super) view: ArcSwap<View>,
    lease_until: AtomicU64,
    progress: Mutex<Progress>,
    /// Of all who wait for progress. Not a `watch`, which spreads its waiters by the system's entropy.
    progressed: Notify,
}

#[derive(Default)]
struct Inbox {
    inputs: VecDeque<Input>,
    waker: Option<Waker>,
    closed: bool,
    /// The newest version that was mentioned since the table was read last. In a large cluster hundreds of messages
    /// mention one before the table is read; the core acts on the first.
    mentioned: ViewVersion,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Progress {
    Joining,
    Active,
    Draining,
    Stopped(StopReason),
}

impl Handle {
    pub(super) fn new(id: SiloId) -> Self {
        Self(Arc::new(Shared {
            id,
            inbox: Mutex::default(),
            view: ArcSwap::from_pointee(View::default()),
            lease_until: AtomicU64::new(0),
            progress: Mutex::new(Progress::Joining),
            progressed: Notify::new(),
        }))
    }

    /// Who this silo is.
    pub fn id(&self) -> SiloId {
        self.0.id
    }

    /// A membership message has arrived; the transport has proven its sender. May be dropped under a flood.
    pub fn deliver(&self, from: SiloId, msg: MembershipMessage) {
        self.0.push(Input::Message { from, msg });
    }

    /// Another message carried this version of the view.
    pub fn view_seen(&self, view: ViewVersion) {
        if view > self.0.view.load().version {
            self.0.push_view(view);
        }
    }

    /// The link to a peer broke.
    pub fn link_down(&self, peer: SiloId) {
        self.0.push(Input::LinkDown { peer });
    }

    /// A peer refused this silo; `dead` if it says that this generation was declared dead.
    pub fn refused(&self, dead: bool) {
        self.0.push(Input::Refused { dead });
    }

    /// The newest view.
    pub fn view(&self) -> Arc<View> {
        self.0.view.load_full()
    }

    /// Until when turns may run, on this silo's clock. One atomic read.
    #[inline]
    pub fn lease_until(&self) -> Instant {
        Instant(self.0.lease_until.load(Ordering::Acquire))
    }

    /// Waits until this silo is active; the reason, with the remedy, if it stopped instead.
    pub async fn joined(&self) -> Result<(), String> {
        match self.reached(|progress| *progress != Progress::Joining).await {
            Progress::Stopped(reason) => Err(reason.to_string()),
            _ => Ok(()),
        }
    }

    /// Makes the silo own no range any more and take nothing new; waits until the table says so, or it has stopped.
    pub async fn drain(&self) {
        self.0.push_always(Input::Drain);
        self.reached(|progress| matches!(progress, Progress::Draining | Progress::Stopped(_))).await;
    }

    /// Leaves: the silo's last act. Its lease ends at once, so nothing may be hosted any more; a silo that could
    /// not drain leaves all the same. Waits until its death is written, or for five seconds if the store is dark.
    pub async fn leave(&self) -> StopReason {
        self.0.push_always(Input::Leave);
        self.stopped().await
    }

    /// Waits until this silo has stopped.
    pub async fn stopped(&self) -> StopReason {
        match self.reached(|progress| matches!(progress, Progress::Stopped(_))).await {
            Progress::Stopped(reason) => reason,
            progress => unreachable!("waited for the end, not for {progress:?}"),
        }
    }

    async fn reached(&self, mut when: impl FnMut(&Progress) -> bool) -> Progress {
        loop {
            let mut progressed = std::pin::pin!(self.0.progressed.notified());
            // Registered before the look, so that no progress falls between the two.
            progressed.as_mut().enable();
            let now = self.0.progress.lock().clone();
            if when(&now) {
                return now;
            }
            progressed.await;
        }
    }
}

impl Shared {
    pub(super) fn progress_to(&self, progress: Progress) {
        *self.progress.lock() = progress;
        self.progressed.notify_waiters();
    }

    /// Queues what may be lost.
    fn push(&self, input: Input) {
        self.inbox.lock().push_if_room(input);
    }

    /// Queues a version of the view, unless it, or a newer one, has been queued before.
    fn push_view(&self, view: ViewVersion) {
        let mut inbox = self.inbox.lock();
        if view > inbox.mentioned && inbox.push_if_room(Input::ViewSeen { view }) {
            inbox.mentioned = view;
        }
    }

    /// The table has been read: what was mentioned before is known by now, or was made up.
    pub(super) fn table_was_read(&self) {
        self.inbox.lock().mentioned = ViewVersion(0);
    }

    /// Queues what may not.
    fn push_always(&self, input: Input) {
        self.inbox.lock().push(input);
    }

    /// Takes everything that has arrived, or leaves the waker.
    pub(super) fn take_inputs(&self, cx: &mut Context<'_>, into: &mut Vec<Input>) {
        let mut inbox = self.inbox.lock();
        into.extend(inbox.inputs.drain(..));
        if !inbox.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            inbox.waker = Some(cx.waker().clone());
        }
    }

    pub(super) fn close(&self) {
        let mut inbox = self.inbox.lock();
        inbox.closed = true;
        inbox.inputs.clear();
        inbox.waker = None;
    }

    pub(super) fn set_lease_until(&self, until: Instant) {
        self.lease_until.store(until.0, Ordering::Release);
    }
}

impl Inbox {
    fn push_if_room(&mut self, input: Input) -> bool {
        let has_room = self.inputs.len() < INBOX_MAX;
        if has_room {
            self.push(input);
        } else {
            quark_core::reached!("membership.inbox.full");
        }
        has_room
    }

    fn push(&mut self, input: Input) {
        if self.closed {
            return;
        }
        self.inputs.push_back(input);
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }
}

/// The most messages that wait for the driver. All of them are probes, votes and hints: what is lost is asked again.
const INBOX_MAX: usize = 4096;
