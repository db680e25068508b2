//! One peer: where it is, its links, and what waits to be sent to it.

use crate::config::{BATCH_BYTES, BATCH_FRAMES_MAX, Limits};
use crate::link::Link;
use crate::proto::Refusal;
use bytes::Bytes;
use quark_core::SiloId;
use quark_core::wire::Lane;
use quark_env::transport::SendError;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// One incarnation of a peer that we have learnt of, or that has linked to us.
pub(crate) struct Peer {
    pub(crate) id: SiloId,
    /// Cancelled when nobody needs the peer any more.
    pub(crate) gone: CancellationToken,
    /// Told, per lane, that dialling again is worth while now.
    pub(crate) dial_now: [Notify; 2],
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Where it listens, as the silo told us.
    learnt: Option<String>,
    /// Where it listens, as it said itself when it linked to us.
    announced: Option<String>,
    /// The tasks that dial it run.
    dialling: bool,
    lanes: [LaneState; 2],
    /// Something was queued, or a user link established, since the last time that its loss was announced.
    may_be_lost: bool,
    /// The control link broke. See [`State::control_broke`].
    control_broke: bool,
    /// What the peer said last when it refused us.
    refusal: Option<Refusal>,
}

#[derive(Default)]
struct LaneState {
    queue: VecDeque<Bytes>,
    queue_bytes: usize,
    /// The writer of the route found the queue empty and must be woken.
    writer_sleeps: bool,
    dialled: Option<Arc<Link>>,
    accepted: Option<Arc<Link>>,
}

/// What the caller has to do after a change that it asked for.
#[must_use]
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Announce {
    /// Nothing.
    Nothing,
    /// Tell the silo that the link is down.
    LinkDown,
}

impl Peer {
    pub(crate) fn new(id: SiloId) -> Arc<Self> {
        Arc::new(Self {
            id,
            gone: CancellationToken::new(),
            dial_now: [Notify::new(), Notify::new()],
            state: Mutex::default(),
        })
    }

    /// Queues a frame for the lane's route.
    pub(crate) fn try_send(&self, lane: Lane, frame: Bytes, limits: &Limits) -> Result<(), SendError> {
        let route = {
            let mut state = self.lock();
            let queue = &mut state.lanes[lane as usize];
            let full = queue.queue.len() >= limits.queue_frames_max
                || queue.queue_bytes + frame.len() > limits.queue_bytes_max;
            if full && !queue.queue.is_empty() {
                quark_core::reached!("grpc.queue.full");
                return Err(SendError::Full);
            }
            queue.queue_bytes += frame.len();
            queue.queue.push_back(frame);
            let wake = std::mem::take(&mut queue.writer_sleeps);
            state.may_be_lost = true;
            if wake { state.route(lane).cloned() } else { None }
        };
        if let Some(route) = route {
            route.wake_writer();
        }
        Ok(())
    }

    /// Takes what this link shall write next: as much as fits in a batch if it is the lane's route, else nothing.
    pub(crate) fn next_batch(&self, link: &Arc<Link>) -> Vec<Bytes> {
        let mut state = self.lock();
        if !state.route(link.lane).is_some_and(|route| Arc::ptr_eq(route, link)) {
            return Vec::new();
        }
        let lane = &mut state.lanes[link.lane as usize];
        lane.writer_sleeps = lane.queue.is_empty();
        let mut bytes = 0;
        let mut count = 0;
        for frame in lane.queue.iter().take(BATCH_FRAMES_MAX) {
            if count > 0 && bytes + frame.len() > BATCH_BYTES {
                break;
            }
            bytes += frame.len();
            count += 1;
        }
        lane.queue_bytes -= bytes;
        lane.queue.drain(..count).collect()
    }

    /// Where to dial it, if anywhere.
    pub(crate) fn address(&self) -> Option<String> {
        self.lock().address().cloned()
    }

    /// The silo says where it listens. Returns whether the tasks that dial it have to be started.
    pub(crate) fn learn(&self, address: &str) -> bool {
        let mut state = self.lock();
        let changed = state.address().is_none_or(|known| known != address);
        state.learnt = Some(address.to_owned());
        state.sleep_no_more();
        let start = !std::mem::replace(&mut state.dialling, true);
        drop(state);
        if changed && !start {
            self.dial_at_once();
        }
        start
    }

    /// It linked to us. Returns what to announce about the link that this one replaces, and whether the tasks that
    /// dial it have to be started.
    pub(crate) fn attach_accepted(&self, link: &Arc<Link>, announced: Option<String>) -> (Announce, bool) {
        let mut state = self.lock();
        let replaced = state.lanes[link.lane as usize].accepted.replace(link.clone());
        if let Some(replaced) = &replaced {
            quark_core::reached!("grpc.link.replaced");
            replaced.end(None);
        }
        let announce = match replaced {
            Some(_) => state.announce_loss(),
            None => state.announce_earlier_loss(link.lane),
        };
        // Replies to come over it may be lost with it. Control messages are repeated.
        state.may_be_lost |= link.lane == Lane::User;
        state.announced = announced;
        state.sleep_no_more();
        let start = state.address().is_some() && !std::mem::replace(&mut state.dialling, true);
        drop(state);
        // It lives: no point in waiting out a pause.
        self.dial_now[link.lane as usize].notify_waiters();
        link.wake_writer();
        (announce, start)
    }

    /// We linked to it. Returns what to announce about an earlier link.
    pub(crate) fn attach_dialled(&self, link: &Arc<Link>) -> Announce {
        let mut state = self.lock();
        let replaced = state.lanes[link.lane as usize].dialled.replace(link.clone());
        assert!(replaced.is_none(), "one task dials a lane, and detaches a link before the next");
        let announce = state.announce_earlier_loss(link.lane);
        state.may_be_lost |= link.lane == Lane::User;
        state.refusal = None;
        state.sleep_no_more();
        drop(state);
        link.wake_writer();
        announce
    }

    /// A link broke. What is queued for it is dropped. Nothing happens if another has replaced it.
    pub(crate) fn detach(&self, link: &Arc<Link>) -> Announce {
        let mut state = self.lock();
        let is_route = state.route(link.lane).is_some_and(|route| Arc::ptr_eq(route, link));
        let lane = &mut state.lanes[link.lane as usize];
        let holds = |slot: &Option<Arc<Link>>| slot.as_ref().is_some_and(|held| Arc::ptr_eq(held, link));
        if holds(&lane.dialled) {
            lane.dialled = None;
        } else if holds(&lane.accepted) {
            lane.accepted = None;
        } else {
            return Announce::Nothing;
        }
        if is_route {
            lane.drop_queue();
        }
        quark_core::reached!("grpc.link.broken");
        match link.lane {
            Lane::User => state.announce_loss(),
            Lane::Control if is_route => state.control_broke(),
            // The peer's control messages to us: it repeats them.
            Lane::Control => Announce::Nothing,
        }
    }

    /// An attempt to link to it failed. What was queued in the hope of it is dropped, so that nothing queued waits
    /// longer than two attempts.
    pub(crate) fn dial_failed(&self, lane: Lane) -> Announce {
        let mut state = self.lock();
        let lane_state = &mut state.lanes[lane as usize];
        if lane_state.queue.is_empty() {
            return state.announce_earlier_loss(lane);
        }
        lane_state.drop_queue();
        quark_core::reached!("grpc.queue.dropped");
        state.announce_loss()
    }

    /// It refused us. Returns whether the silo has not heard this yet.
    pub(crate) fn refused(&self, refusal: &Refusal) -> bool {
        let mut state = self.lock();
        let is_news = state.refusal.as_ref() != Some(refusal);
        state.refusal = Some(refusal.clone());
        is_news
    }

    /// Whether nobody told us of it and it is not linked to us.
    pub(crate) fn is_unneeded(&self) -> bool {
        let state = self.lock();
        state.learnt.is_none() && state.lanes.iter().all(|lane| lane.accepted.is_none())
    }

    /// Ends all links, telling the peer why if there is something to tell, and the tasks that dial it.
    pub(crate) fn close(&self, goodbye: Option<&Refusal>) {
        self.gone.cancel();
        for link in self.links() {
            link.end(goodbye.cloned());
        }
    }

    /// Lets all links hand over what is queued, and then end.
    pub(crate) fn finish(&self) {
        for link in self.links() {
            link.finish();
        }
    }

    fn links(&self) -> Vec<Arc<Link>> {
        let state = self.lock();
        state.lanes.iter().flat_map(|lane| [&lane.dialled, &lane.accepted]).flatten().cloned().collect()
    }

    fn dial_at_once(&self) {
        for lane in &self.dial_now {
            lane.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn address(&self) -> Option<&String> {
        self.learnt.as_ref().or(self.announced.as_ref())
    }

    /// The one link that carries a lane to the peer: the one that we dialled if there is somewhere to dial, else the
    /// one that it dialled. Never both in turn while they live: a frame on one could overtake a frame on the other.
    fn route(&self, lane: Lane) -> Option<&Arc<Link>> {
        let lane = &self.lanes[lane as usize];
        if self.address().is_some() { lane.dialled.as_ref() } else { lane.accepted.as_ref() }
    }

    /// The route of a lane may have changed: its writer has to look.
    fn sleep_no_more(&mut self) {
        for lane in &mut self.lanes {
            lane.writer_sleeps = false;
        }
        for lane in [Lane::Control, Lane::User] {
            if let Some(route) = self.route(lane) {
                route.wake_writer();
            }
        }
    }

    /// Something may have been lost. Announced once, until something else can be lost.
    fn announce_loss(&mut self) -> Announce {
        self.control_broke = false;
        if std::mem::take(&mut self.may_be_lost) { Announce::LinkDown } else { Announce::Nothing }
    }

    /// Our control link broke. While a user link stands this is announced only once the control link has been dialled
    /// again, with success or without: mostly the user link is about to break as well, and on hearing of a loss the
    /// silo gives up calls whose replies are still being read from it.
    fn control_broke(&mut self) -> Announce {
        let user = &self.lanes[Lane::User as usize];
        if user.dialled.is_none() && user.accepted.is_none() {
            return self.announce_loss();
        }
        self.control_broke = self.may_be_lost;
        Announce::Nothing
    }

    fn announce_earlier_loss(&mut self, lane: Lane) -> Announce {
        if lane == Lane::Control && self.control_broke { self.announce_loss() } else { Announce::Nothing }
    }
}

impl LaneState {
    fn drop_queue(&mut self) {
        self.queue.clear();
        self.queue_bytes = 0;
    }
}

#[cfg(test)]
mod tests;
