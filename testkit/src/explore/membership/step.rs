//! One thing that can happen in the small cluster, what it costs, and when it can happen.

use super::MembershipWorld;
use super::node::{Node, StoreMode};
use quark_core::membership::Membership;
use quark_core::view::Status;
use std::fmt;

/// One thing that can happen. Silos are named by their place: 0 is `a`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Step {
    /// A second passes. Everything arrives at once, and every deadline is met.
    Second,
    /// By hand: time moves on to the next deadline of anybody, and whoever has one meets it. Nothing arrives.
    Deadline,
    /// By hand: the first message from one silo to another arrives.
    Arrive {
        /// The sender.
        from: usize,
        /// The addressee.
        to: usize,
    },
    /// A fault: the first message from one silo to another is lost.
    Lose {
        /// The sender.
        from: usize,
        /// The addressee.
        to: usize,
    },
    /// By hand: the store does what a silo asked first.
    Write {
        /// The silo.
        at: usize,
    },
    /// By hand: an answer of the store arrives.
    Answer {
        /// The silo.
        at: usize,
        /// The newest one, rather than the oldest.
        newest: bool,
    },
    /// A fault: the outcome of what a silo asked first is lost.
    Fail {
        /// The silo.
        at: usize,
        /// Whether it was done.
        written: bool,
    },
    /// A fault: a silo crashes.
    Crash {
        /// The silo.
        at: usize,
    },
    /// A silo starts, as a new generation of its name.
    Start {
        /// The silo.
        at: usize,
    },
    /// A fault: a silo stands still.
    Pause {
        /// The silo.
        at: usize,
    },
    /// It goes on.
    Resume {
        /// The silo.
        at: usize,
    },
    /// A fault: a silo is cut off from all others, not from the store.
    Cut {
        /// The silo.
        at: usize,
    },
    /// Its links are back.
    Mend {
        /// The silo.
        at: usize,
    },
    /// A fault: the store is otherwise to a silo. Or it is fine again.
    Store {
        /// The silo.
        at: usize,
        /// How it is.
        mode: StoreMode,
    },
    /// A fault: the store loses the last change of the membership, and all that came after it.
    Rewind,
    /// An order: a silo is to own nothing any more.
    Drain {
        /// The silo.
        at: usize,
    },
    /// An order: a silo is to leave.
    Leave {
        /// The silo.
        at: usize,
    },
}

fn name(at: usize) -> char {
    char::from(b'a' + u8::try_from(at).expect("a small world"))
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Second => write!(f, "a second passes"),
            Self::Deadline => write!(f, "time moves on to the next deadline, and nothing arrives"),
            Self::Arrive { from, to } => write!(f, "a message of {} arrives at {}", name(from), name(to)),
            Self::Lose { from, to } => write!(f, "a message of {} to {} is lost", name(from), name(to)),
            Self::Write { at } => write!(f, "the store does what {} asked", name(at)),
            Self::Answer { at, newest: false } => write!(f, "an answer of the store reaches {}", name(at)),
            Self::Answer { at, newest: true } => {
                write!(f, "the newest answer of the store reaches {}", name(at))
            }
            Self::Fail { at, written: true } => {
                write!(f, "the store does what {} asked, and its answer is lost", name(at))
            }
            Self::Fail { at, written: false } => write!(f, "what {} asked of the store is lost", name(at)),
            Self::Crash { at } => write!(f, "{} crashes", name(at)),
            Self::Start { at } => write!(f, "{} starts", name(at)),
            Self::Pause { at } => write!(f, "{} stands still", name(at)),
            Self::Resume { at } => write!(f, "{} goes on", name(at)),
            Self::Cut { at } => write!(f, "{} is cut off from the others", name(at)),
            Self::Mend { at } => write!(f, "the links of {} are back", name(at)),
            Self::Store { at, mode } => write!(f, "{mode} {}", name(at)),
            Self::Rewind => write!(f, "the store loses the last change of the membership"),
            Self::Drain { at } => write!(f, "{} is told to drain", name(at)),
            Self::Leave { at } => write!(f, "{} is told to leave", name(at)),
        }
    }
}

/// Takes what a step costs from what the world was given.
pub(super) fn pay(step: &Step, world: &mut MembershipWorld) {
    let (nodes, left) = (&world.nodes, &mut world.left);
    match *step {
        Step::Deadline | Step::Arrive { .. } | Step::Write { .. } | Step::Answer { .. } => left.by_hand -= 1,
        Step::Store { mode: StoreMode::Fine, .. } => {}
        Step::Lose { .. }
        | Step::Fail { .. }
        | Step::Crash { .. }
        | Step::Pause { .. }
        | Step::Cut { .. }
        | Step::Store { .. } => left.faults -= 1,
        Step::Rewind => left.rewinds -= 1,
        Step::Drain { .. } | Step::Leave { .. } => left.orders -= 1,
        Step::Start { at } if nodes[at].id.is_none() && !left.from_nothing => left.orders -= 1,
        Step::Second | Step::Start { .. } | Step::Resume { .. } | Step::Mend { .. } => {}
    }
}

/// Everything that can happen now, the harmless first.
pub(super) fn offered(world: &MembershipWorld) -> Vec<Step> {
    let mut steps = vec![Step::Second];
    if world.left.by_hand > 0 {
        by_hand(world, &mut steps);
    }
    for (at, node) in world.nodes.iter().enumerate() {
        remedies(world, at, node, &mut steps);
    }
    if world.left.faults > 0 {
        lost(world, &mut steps);
        for (at, node) in world.nodes.iter().enumerate() {
            faults(world, at, node, &mut steps);
        }
    }
    if world.left.rewinds > 0 && world.store.can_rewind() {
        steps.push(Step::Rewind);
    }
    if world.left.orders > 0 {
        for (at, node) in world.nodes.iter().enumerate() {
            orders(at, node, &mut steps);
        }
    }
    steps
}

fn by_hand(world: &MembershipWorld, steps: &mut Vec<Step>) {
    if world.next_due().is_some() {
        steps.push(Step::Deadline);
    }
    let awake = |at: usize| !world.nodes[at].paused;
    let letters = world.traffic.letters().filter(|(_, to)| awake(*to));
    steps.extend(letters.map(|(from, to)| Step::Arrive { from, to }));
    steps.extend(world.traffic.requests().map(|at| Step::Write { at }));
    for (at, count) in world.traffic.answers().filter(|(at, _)| awake(*at)) {
        steps.push(Step::Answer { at, newest: false });
        if count > 1 {
            steps.push(Step::Answer { at, newest: true });
        }
    }
}

fn remedies(world: &MembershipWorld, at: usize, node: &Node, steps: &mut Vec<Step>) {
    let may_start = node.id.is_some() || world.left.from_nothing || world.left.orders > 0;
    if node.is_down() && may_start {
        steps.push(Step::Start { at });
    }
    if node.paused {
        steps.push(Step::Resume { at });
    }
    if world.cut.contains(&at) {
        steps.push(Step::Mend { at });
    }
    if node.mode != StoreMode::Fine {
        steps.push(Step::Store { at, mode: StoreMode::Fine });
    }
}

fn lost(world: &MembershipWorld, steps: &mut Vec<Step>) {
    steps.extend(world.traffic.letters().map(|(from, to)| Step::Lose { from, to }));
    for at in world.traffic.requests() {
        steps.extend([true, false].map(|written| Step::Fail { at, written }));
    }
}

fn faults(world: &MembershipWorld, at: usize, node: &Node, steps: &mut Vec<Step>) {
    if node.is_down() {
        return;
    }
    steps.push(Step::Crash { at });
    if !node.paused {
        steps.push(Step::Pause { at });
    }
    if !world.cut.contains(&at) && world.nodes.len() > 1 {
        steps.push(Step::Cut { at });
    }
    if node.mode == StoreMode::Fine {
        let modes = [StoreMode::Dark, StoreMode::Slow, StoreMode::Late];
        steps.extend(modes.map(|mode| Step::Store { at, mode }));
    }
}

fn orders(at: usize, node: &Node, steps: &mut Vec<Step>) {
    let status = node.core.as_ref().filter(|_| !node.is_down() && !node.paused).and_then(own_status);
    if status == Some(Status::Active) {
        steps.push(Step::Drain { at });
    }
    if status.is_some() {
        steps.push(Step::Leave { at });
    }
}

fn own_status(core: &Membership) -> Option<Status> {
    core.view().member(core.id()).map(|member| member.status)
}
