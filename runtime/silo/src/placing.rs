//! The silo's side of the directory: drives the core, holds what has to wait, and places what is new.

use crate::control::ControlMessage;
use crate::error::Failure;
use crate::kernel::{Kernel, Phase};
use crate::message::{Ended, Message};
use crate::observer::Event;
use quark_core::directory::{self, Action, DirectoryMessage, Input, Owners, Registration, Resolution, Spans};
use quark_core::placement::{self, Candidates, Placement};
use quark_core::ring::Ring;
use quark_core::view::View;
use quark_core::{ActorId, Instant, SiloId, buggify, mutant, reached};
use quark_env::EntropyExt;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// The core, and the requests that wait for a range or a grace.
pub(crate) struct Directory {
    pub core: directory::Directory,
    held: VecDeque<Message>,
    held_max: usize,
    /// How many actors this owner has placed on each silo: what it knows of their loads.
    placed: BTreeMap<SiloId, u64>,
}

impl Directory {
    pub fn new(me: SiloId, held_max: usize) -> Self {
        Self {
            core: directory::Directory::new(me, directory::Config::default()),
            held: VecDeque::new(),
            held_max,
            placed: BTreeMap::new(),
        }
    }

    /// How many requests wait.
    pub fn held(&self) -> usize {
        self.held.len()
    }
}

/// Where a request goes next.
pub(crate) enum Direction {
    /// To an activation here, under this placement.
    Here(Registration),
    /// To another silo, under this placement if we own the actor's range.
    There(SiloId, Option<Registration>),
    /// It waits.
    Held,
    /// It ends here.
    End(Ended),
}

impl Kernel {
    /// Decides as the owner of the actor's range (or finds out that we are not). The message is taken if it must wait.
    pub(crate) fn direct(&self, directory: &mut Directory, message: &mut Option<Message>) -> Direction {
        let actor = message.as_ref().expect("handed in").actor.clone();
        match directory.core.resolve(&actor) {
            Resolution::At { silo, registration } if silo == self.id => Direction::Here(registration),
            Resolution::At { silo, registration } => Direction::There(silo, Some(registration)),
            Resolution::NotOwner { owner: Some(owner) } if owner != self.id => Direction::There(owner, None),
            Resolution::NotOwner { .. } => Direction::End(Ended::Bounced),
            Resolution::Locked | Resolution::Draining { .. } => {
                if directory.held.len() >= directory.held_max {
                    reached!("placing.held_full");
                    return Direction::End(Ended::Failed(Failure::Overloaded {
                        what: format!("the queue of {} requests that wait for a range", directory.held_max),
                        retry_after: Duration::from_millis(250),
                    }));
                }
                reached!("placing.held");
                let message = message.take().expect("handed in");
                self.sweeper.wake_by(message.deadline);
                directory.held.push_back(message);
                Direction::Held
            }
            Resolution::Vacant => self.place(directory, &actor, message),
        }
    }

    fn place(&self, directory: &mut Directory, actor: &ActorId, message: &mut Option<Message>) -> Direction {
        let Some(kind) = self.registry.kind(actor.kind()) else {
            return Direction::End(
                Failure::UnknownKind { kind: actor.kind().into(), known: self.registry.known() }.into(),
            );
        };
        let routing = self.routing.load();
        let asked_by = message.as_ref().and_then(|m| m.asked_by(self.id)).unwrap_or(self.id);
        let random = match kind.placement {
            Placement::RingOwner | Placement::PreferLocal => 0,
            Placement::Random | Placement::LeastLoaded => self.env.entropy.u64("placement"),
        };
        let placed = &directory.placed;
        let candidates = Candidates {
            view: &routing.view,
            ring: &routing.ring,
            loads: &|silo| placed.get(&silo).copied().unwrap_or(0),
            caller: asked_by,
            point: actor.point(),
        };
        let chosen = placement::choose(kind.placement, &candidates, random).unwrap_or(self.id);
        match directory.core.assign(actor, chosen) {
            Ok(registration) => {
                *directory.placed.entry(chosen).or_default() += 1;
                self.observe(|| Event::Placed { actor, on: chosen });
                if chosen == self.id {
                    Direction::Here(registration)
                } else {
                    reached!("placing.elsewhere");
                    Direction::There(chosen, Some(registration))
                }
            }
            // The directory has seen a newer view than the routing, or the other way round: look again.
            Err(_) => {
                reached!("placing.view_raced");
                Direction::End(Ended::Bounced)
            }
        }
    }

    /// One step of the directory core; performs its actions.
    pub(crate) fn step_directory(self: &Arc<Self>, input: Input) {
        let now = self.env.clock.now();
        let mut actions = Vec::new();
        let (released, next) = {
            let mut directory = self.directory.lock();
            directory.core.step(now, input, &mut actions);
            (self.release(&mut directory, &actions), directory.core.next_deadline())
        };
        self.perform_directory(actions, released, next);
    }

    /// Performs what a direct call of the core (not a step) asked for.
    pub(crate) fn after_directory_call(self: &Arc<Self>, actions: Vec<Action>) {
        let (released, next) = {
            let mut directory = self.directory.lock();
            (self.release(&mut directory, &actions), directory.core.next_deadline())
        };
        self.perform_directory(actions, released, next);
    }

    /// Takes the held requests that an action lets go.
    fn release(&self, directory: &mut Directory, actions: &[Action]) -> Vec<Message> {
        let unlocked: Vec<&Spans> = actions
            .iter()
            .filter_map(|a| match a {
                Action::Unlocked { spans } => Some(spans),
                _ => None,
            })
            .collect();
        if unlocked.is_empty() || directory.held.is_empty() {
            return Vec::new();
        }
        let (free, held): (VecDeque<_>, VecDeque<_>) = std::mem::take(&mut directory.held)
            .into_iter()
            .partition(|m| unlocked.iter().any(|spans| spans.contains(m.actor.point())));
        directory.held = held;
        if mutant!("m06") { Vec::new() } else { free.into() }
    }

    fn perform_directory(
        self: &Arc<Self>,
        actions: Vec<Action>,
        released: Vec<Message>,
        next: Option<Instant>,
    ) {
        for action in actions {
            match action {
                Action::Send { to, message } => self.send_directory(to, message),
                Action::Unlocked { .. } => {}
                Action::Evict { actor, registration } => self.evict(&actor, registration),
                Action::ReadTable { at_least } => self.hint_view(at_least),
            }
        }
        if let Some(next) = next {
            self.directory_clock.wake_by(next);
        }
        for message in released {
            self.route(message);
        }
    }

    fn send_directory(&self, to: SiloId, message: DirectoryMessage) {
        self.send_control(to, &ControlMessage::Directory(message));
    }

    /// Drops held requests whose deadline has passed; their callers have been told by their own clocks. Returns when
    /// the next one passes.
    pub(crate) fn expire_held(&self, now: Instant) -> Option<Instant> {
        let (late, next): (Vec<Message>, _) = {
            let mut directory = self.directory.lock();
            if directory.held.is_empty() {
                return None;
            }
            let (late, held): (VecDeque<_>, VecDeque<_>) =
                std::mem::take(&mut directory.held).into_iter().partition(|m| m.deadline <= now);
            directory.held = held;
            (late.into(), directory.held.iter().map(|m| m.deadline).min())
        };
        for message in late {
            self.finish(&message, Failure::DeadlineBeforeRun.into());
        }
        next
    }

    /// Ends every request that waits: the silo stops.
    pub(crate) fn bounce_held(&self) {
        let held = std::mem::take(&mut self.directory.lock().held);
        for message in held.into_iter().chain(self.early.take_all()) {
            self.finish(&message, Ended::Bounced);
        }
    }

    /// Drives the directory's deadlines.
    pub(crate) async fn tend_directory(self: Arc<Self>) {
        while self.phase() != Phase::Stopped {
            if !buggify!(self.env.entropy, "directory_wakes_for_nothing") {
                self.directory_clock.wait(&self.env.clock).await;
            }
            self.step_directory(Input::Timer);
        }
    }

    pub(crate) fn directory_view_changed(self: &Arc<Self>, view: Arc<View>, ring: Arc<Ring>) {
        self.step_directory(Input::ViewChanged { view, ring: ring as Arc<dyn Owners> });
    }
}
