//! Messages that arrive before an earlier one of the same sender (promise P6).
//!
//! A silo that learns where an actor lives sends there directly what it sent by way of the range's owner before, and
//! the short road may overtake the long one. The first message on a new road therefore names the last one on the old
//! road, and waits at the receiver until that one has come, or for as long as it may still be under way.

use crate::activation::Activation;
use crate::kernel::Kernel;
use crate::message::{Message, Order};
use crate::routes::PointHasher;
use indexmap::IndexMap;
use parking_lot::Mutex;
use quark_core::{ActorId, Instant, SiloId, hash, reached};
use std::hash::BuildHasherDefault;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How long a message that was sent may still be under way in a healthy network.
const UNDER_WAY: Duration = Duration::from_millis(100);
/// Beyond so many, messages do not wait.
const WAITING_MAX: usize = 4096;
/// How many roads are remembered.
const ROADS_MAX: usize = 16_384;

/// The sender's side: by which silo each of our activations last sent to each actor. Bounded; what is forgotten is not
/// waited for.
#[derive(Default)]
pub(crate) struct Roads {
    /// By sender and actor, mixed. Two pairs that share a number cost a wait for nothing.
    last: IndexMap<u64, Road, BuildHasherDefault<PointHasher>>,
}

struct Road {
    to: SiloId,
    serial: u64,
    sent: Instant,
    after: Option<u64>,
}

impl Roads {
    /// Notes that a message takes this road; the message that it has to wait for, if it may overtake one.
    pub fn take(&mut self, now: Instant, actor: &ActorId, order: Order, to: SiloId) -> Option<u64> {
        let key = hash::mix(actor.point() ^ order.sender);
        let earlier = self.last.get(&key).filter(|road| road.serial < order.serial);
        let recent = earlier.filter(|road| now.since(road.sent) < UNDER_WAY);
        let after = recent.and_then(|road| if road.to == to { road.after } else { Some(road.serial) });
        if self.last.len() >= ROADS_MAX && !self.last.contains_key(&key) {
            self.last.swap_remove_index(0);
        }
        self.last.insert(key, Road { to, serial: order.serial, sent: now, after });
        after
    }

    /// The message that one which need not leave this silo has to wait for: it, too, may overtake what its sender sent
    /// by way of the owner, before the actor came here.
    fn under_way(&self, now: Instant, actor: &ActorId, order: Order) -> Option<u64> {
        let road = self.last.get(&hash::mix(actor.point() ^ order.sender))?;
        (road.serial < order.serial && now.since(road.sent) < UNDER_WAY).then_some(road.serial)
    }
}

/// The receiver's side. Bounded.
#[derive(Default)]
pub(crate) struct Early {
    waiting: Mutex<Vec<Waiting>>,
    /// How many wait, so that nobody looks at an empty list.
    count: AtomicUsize,
}

struct Waiting {
    activation: Arc<Activation>,
    message: Message,
    order: Order,
    until: Instant,
}

impl Early {
    /// How many wait.
    pub fn len(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// Changes the list, and counts it again.
    fn change<R>(&self, change: impl FnOnce(&mut Vec<Waiting>) -> R) -> R {
        let mut waiting = self.waiting.lock();
        let result = change(&mut waiting);
        self.count.store(waiting.len(), Ordering::Release);
        result
    }

    /// Takes the message and keeps it if one of its sender must come first. Returns until when.
    fn hold(
        &self,
        now: Instant,
        activation: &Arc<Activation>,
        message: &mut Option<Message>,
        order: Order,
    ) -> Option<Instant> {
        self.change(|waiting| {
            // Read under our lock: whoever comes first marks itself seen before it looks for followers here.
            let seen = activation.mail.lock().seen(order.sender);
            let behind =
                waiting.iter().any(|w| w.is_of(activation, order.sender) && w.order.serial < order.serial);
            let early = order.after.is_some_and(|after| seen.is_none_or(|seen| seen < after));
            if !(behind || early) || waiting.len() >= WAITING_MAX {
                return None;
            }
            let message = message.take()?;
            let until = (now + UNDER_WAY).min(message.deadline);
            waiting.push(Waiting { activation: activation.clone(), message, order, until });
            Some(until)
        })
    }

    /// Takes out the next message of a sender, if it need not wait any more now that `seen` has come.
    fn next(&self, activation: &Arc<Activation>, sender: u64, seen: u64) -> Option<Message> {
        self.change(|waiting| {
            let ours = waiting.iter().enumerate().filter(|(_, w)| w.is_of(activation, sender));
            let (at, first) = ours.min_by_key(|(_, w)| w.order.serial)?;
            let ready = first.order.after.is_none_or(|after| after <= seen);
            ready.then(|| waiting.swap_remove(at).message)
        })
    }

    /// Takes out a call that its caller has given up.
    pub fn withdraw(&self, is_it: impl Fn(&Message) -> bool) -> bool {
        self.len() > 0
            && self.change(|waiting| {
                let before = waiting.len();
                waiting.retain(|w| !is_it(&w.message));
                waiting.len() < before
            })
    }

    /// Takes out everything.
    pub fn take_all(&self) -> Vec<Message> {
        self.change(|waiting| waiting.drain(..).map(|w| w.message).collect())
    }

    /// Takes out the first of those that have waited for too long, or says when the next has.
    fn expired(&self, now: Instant) -> Result<(Arc<Activation>, Message), Option<Instant>> {
        self.change(|waiting| {
            let late = waiting.iter().enumerate().filter(|(_, w)| w.until <= now);
            match late.min_by_key(|(_, w)| (w.until, w.order.serial)) {
                Some((at, _)) => {
                    let late = waiting.swap_remove(at);
                    Ok((late.activation, late.message))
                }
                None => Err(waiting.iter().map(|w| w.until).min()),
            }
        })
    }
}

impl Waiting {
    fn is_of(&self, activation: &Arc<Activation>, sender: u64) -> bool {
        self.order.sender == sender && Arc::ptr_eq(&self.activation, activation)
    }
}

impl Kernel {
    /// Notes which message one of a neighbour has to wait for. Only a young activation has any: once it is here, nothing
    /// is sent to it by way of others.
    pub(crate) fn mind_the_long_road(&self, activation: &Activation, message: &mut Message) {
        let Some(order) = message.order.as_mut().filter(|_| message.hops == 0) else { return };
        if activation.is_younger_than(UNDER_WAY, &*self.env.clock) {
            let after = self.roads.lock().under_way(self.env.clock.now(), &message.actor, *order);
            if after.is_some() {
                reached!("early.by_the_long_road");
                order.after = after;
            }
        }
    }

    /// Takes and keeps a message that came before one of the same sender that it must not overtake.
    pub(crate) fn hold_if_early(&self, activation: &Arc<Activation>, message: &mut Option<Message>) {
        let order = message.as_ref().and_then(|message| message.order);
        let Some(order) = order.filter(|o| o.after.is_some() || self.early.len() > 0) else { return };
        if let Some(until) = self.early.hold(self.env.clock.now(), activation, message, order) {
            reached!("early.held");
            self.sweeper.wake_by(until);
        }
    }

    /// Delivers what waited for this place in its sender's order.
    pub(crate) fn deliver_followers(self: &Arc<Self>, activation: &Arc<Activation>, order: Order) {
        let mut seen = order.serial;
        while self.early.len() > 0
            && let Some(message) = self.early.next(activation, order.sender, seen)
        {
            reached!("early.followed");
            seen = message.order.map_or(seen, |order| order.serial);
            self.deliver_in_order(activation, message, None);
        }
    }

    /// Delivers what has waited for too long. Returns when the next has.
    pub(crate) fn expire_early(self: &Arc<Self>, now: Instant) -> Option<Instant> {
        if self.early.len() == 0 {
            return None;
        }
        loop {
            match self.early.expired(now) {
                Ok((activation, message)) => {
                    reached!("early.waited_in_vain");
                    let order = message.order;
                    self.deliver_in_order(&activation, message, None);
                    if let Some(order) = order {
                        self.deliver_followers(&activation, order);
                    }
                }
                Err(next) => return next,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quark_core::{Generation, SiloName};

    fn silo(name: &str) -> SiloId {
        SiloId::new(SiloName::new(name).expect("valid"), Generation(1))
    }

    #[test]
    fn only_the_first_messages_on_a_new_road_wait_and_only_for_what_is_still_under_way() {
        let actor = ActorId::new("listener", "1").expect("valid");
        let order = |serial| Order { sender: 7, serial, after: None };
        let mut roads = Roads::default();
        let ms = |ms: u64| Instant(1 + ms * 1_000_000);
        assert_eq!(roads.take(ms(0), &actor, order(1), silo("owner")), None);
        assert_eq!(roads.take(ms(1), &actor, order(2), silo("owner")), None);
        assert_eq!(roads.take(ms(2), &actor, order(4), silo("host")), Some(2));
        // The one before may be lost, so the next names the same.
        assert_eq!(roads.take(ms(3), &actor, order(5), silo("host")), Some(2));
        assert_eq!(roads.take(ms(200), &actor, order(6), silo("host")), None);
        assert_eq!(roads.take(ms(400), &actor, order(8), silo("owner")), None);
        // Sent once more after it came back: nothing that was sent later is waited for.
        assert_eq!(roads.take(ms(401), &actor, order(7), silo("host")), None);
    }

    #[test]
    fn a_message_that_stays_here_waits_for_what_went_by_way_of_the_owner() {
        let actor = ActorId::new("listener", "1").expect("valid");
        let other = ActorId::new("listener", "2").expect("valid");
        let order = |serial| Order { sender: 7, serial, after: None };
        let mut roads = Roads::default();
        let ms = |ms: u64| Instant(1 + ms * 1_000_000);
        assert_eq!(roads.under_way(ms(0), &actor, order(1)), None);
        roads.take(ms(0), &actor, order(1), silo("owner"));
        assert_eq!(roads.under_way(ms(1), &actor, order(2)), Some(1));
        assert_eq!(roads.under_way(ms(1), &other, order(2)), None);
        assert_eq!(roads.under_way(ms(100), &actor, order(3)), None);
    }
}
