//! Asks other silos for the time, now and then, and goes by the clock in the middle.

use super::announce::Notice;
use crate::control::ControlMessage;
use crate::kernel::Kernel;
use quark_core::reminder::{ASKED_MAX, AgreedClock};
use quark_core::{Instant, SiloId, WallTime, hash, reached};
use std::time::Duration;

/// What this silo knows of the others' clocks.
#[derive(Default)]
pub(crate) struct Times {
    agreed: AgreedClock,
    asked: Option<Question>,
    ask_at: Instant,
    number: u64,
    /// The first question has been answered, or nobody answers.
    settled: bool,
}

/// The question that is out.
struct Question {
    number: u64,
    at: Instant,
    of: Vec<SiloId>,
}

/// How long a silo that has just started waits for the first answers before it goes by its own clock.
const FIRST_PATIENCE: Duration = Duration::from_secs(1);

impl Kernel {
    /// What time it is by the clocks of several silos, as far as they have been heard.
    pub(crate) fn agreed_time(&self) -> WallTime {
        let times = self.reminders.clock.lock();
        times.agreed.read(self.env.clock.now(), self.env.clock.wall())
    }

    /// Whether enough is known to fire by: nothing is due before the first of the others have been heard.
    pub(crate) fn knows_the_time(&self) -> bool {
        let now = self.env.clock.now();
        let mut times = self.reminders.clock.lock();
        if let Some(question) = times.asked.as_ref().filter(|_| !times.settled) {
            let settled =
                times.agreed.has_heard(question.of.len()) || now.since(question.at) >= FIRST_PATIENCE;
            times.settled = settled;
        }
        times.settled
    }

    /// The view has changed, and with it those who can be asked.
    pub(crate) fn ask_the_time_soon(&self) {
        let mut times = self.reminders.clock.lock();
        let soon = times.asked.as_ref().map_or(Instant::ZERO, |question| question.at + FIRST_PATIENCE);
        times.ask_at = times.ask_at.min(soon);
    }

    pub(crate) fn next_question_at(&self) -> Instant {
        let times = self.reminders.clock.lock();
        match times.asked.as_ref().filter(|_| !times.settled) {
            Some(question) => times.ask_at.min(question.at + FIRST_PATIENCE),
            None => times.ask_at,
        }
    }

    /// Asks some of the others, if it is time to.
    pub(crate) fn ask_the_time_if_due(&self) {
        let now = self.env.clock.now();
        let number = {
            let times = self.reminders.clock.lock();
            if now < times.ask_at {
                return;
            }
            times.number + 1
        };
        let view = self.routing.load().view.clone();
        if view.member(self.id).is_none() {
            // Not a member yet, so there is nobody to ask; the view will wake us.
            self.reminders.clock.lock().ask_at = now + FIRST_PATIENCE;
            return;
        }
        let mut others: Vec<SiloId> = view.active().map(|m| m.id).filter(|id| *id != self.id).collect();
        // Each asks others, and others the next time.
        let salt = hash::point(self.id.name.as_str().as_bytes()) ^ number;
        others.sort_by_cached_key(|id| hash::point_in(salt, id.name.as_str().as_bytes()));
        others.truncate(ASKED_MAX);
        {
            let mut times = self.reminders.clock.lock();
            times.number = number;
            times.asked = Some(Question { number, at: now, of: others.clone() });
            times.ask_at = now + self.config.reminders.ask_time_every;
        }
        for to in others {
            self.send_control(to, &ControlMessage::Reminder(Notice::AskTime { number }));
        }
    }

    pub(crate) fn time_told(&self, by: SiloId, number: u64, wall: WallTime) {
        let now = self.env.clock.now();
        let mut times = self.reminders.clock.lock();
        match &times.asked {
            Some(question) if question.number == number && question.of.contains(&by) => {
                let asked = question.at;
                times.agreed.told(asked, now, by, wall);
            }
            _ => reached!("reminders.time_told_unasked"),
        }
    }
}
