//! The life of one activation, as a table. The enum is the diagram:
//!
//! ```text
//!             Register            Registered          Claimed             Activated
//!   Created ------------> Registering ------> Claiming ------> Activating ------> Active
//!      |  Registered (by who placed it)          ^                                |    ^
//!      +-----------------------------------------+              Drain(reason)     |    |  Resumed
//!                                                                                 v    |  (a migration failed)
//!   any but Gone -- Ended --> Gone(reason)                                     Draining(reason)
//! ```
//!
//! *Registering*: the directory is asked. *Claiming*: one commit takes the owner row and loads the state (a volatile
//! actor claims nothing, and is `Claimed` at once). *Activating*: the user's hook runs. *Draining*: the turn is sealed,
//! what was accepted is handled. *Gone*: out of every table, for ever; an actor that is called again gets a new
//! activation.

#[cfg(test)]
mod tests;

use std::fmt;

/// Where an activation is in its life.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum State {
    /// In the catalog, with nothing asked yet.
    Created,
    /// The directory is asked whether this is the one.
    Registering,
    /// The owner row is being taken, the state loaded.
    Claiming,
    /// The user's activation hook runs.
    Activating,
    /// Takes turns.
    Active,
    /// Handles what it has accepted and takes nothing new.
    Draining(Reason),
    /// Over.
    Gone(Reason),
}

/// Why an activation ends.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Reason {
    /// Nobody called it for long enough.
    Idle,
    /// The actor asked for it.
    Asked,
    /// The silo is leaving.
    SiloLeaves,
    /// It moves to another silo.
    Migrates,
    /// It ended without draining: it never became active, panicked, was fenced, or lost its place.
    Cut,
}

/// What happens to an activation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Event {
    /// The directory is being asked.
    Register,
    /// The directory knows this activation; also when whoever placed it has registered it already.
    Registered,
    /// The owner row is ours and the state is loaded.
    Claimed,
    /// The user's hook has succeeded.
    Activated,
    /// It shall end in order.
    Drain(Reason),
    /// It shall live on after all: its migration failed before the commit point.
    Resumed,
    /// It is out of every table.
    Ended,
}

/// An event that cannot happen in a state. Nothing changed. It is a bug of the runtime, not of an actor.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{event:?} cannot happen to an activation that is {state}")]
pub struct IllegalTransition {
    /// The state that it happened in.
    pub state: State,
    /// What happened.
    pub event: Event,
}

impl State {
    /// The state after an event.
    ///
    /// Errors: [`IllegalTransition`] for every pair that the table does not list.
    pub const fn step(self, event: Event) -> Result<State, IllegalTransition> {
        Ok(match (self, event) {
            (State::Created, Event::Register) => State::Registering,
            (State::Created | State::Registering, Event::Registered) => State::Claiming,
            (State::Claiming, Event::Claimed) => State::Activating,
            (State::Activating, Event::Activated) => State::Active,
            (State::Active, Event::Drain(reason)) => State::Draining(reason),
            (State::Draining(Reason::Migrates), Event::Resumed) => State::Active,
            (State::Draining(reason), Event::Ended) => State::Gone(reason),
            (
                State::Created | State::Registering | State::Claiming | State::Activating | State::Active,
                Event::Ended,
            ) => State::Gone(Reason::Cut),
            (state, event) => return Err(IllegalTransition { state, event }),
        })
    }

    /// Whether it may take turns of messages.
    pub const fn takes_turns(self) -> bool {
        matches!(self, State::Active | State::Draining(_))
    }

    /// Whether it is on its way to take turns, so that messages may wait for it.
    pub const fn is_starting(self) -> bool {
        matches!(self, State::Created | State::Registering | State::Claiming | State::Activating)
    }

    /// Whether it is over.
    pub const fn is_gone(self) -> bool {
        matches!(self, State::Gone(_))
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            State::Created => f.write_str("created"),
            State::Registering => f.write_str("registering"),
            State::Claiming => f.write_str("claiming"),
            State::Activating => f.write_str("activating"),
            State::Active => f.write_str("active"),
            State::Draining(reason) => write!(f, "draining ({reason})"),
            State::Gone(reason) => write!(f, "gone ({reason})"),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::Idle => "idle",
            Reason::Asked => "asked to",
            Reason::SiloLeaves => "its silo leaves",
            Reason::Migrates => "migrates",
            Reason::Cut => "cut",
        })
    }
}
