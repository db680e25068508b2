//! Durable reminders, as an actor sets them (promise P14).
//!
//! A reminder is a row in its actor's partition, and what it calls is an ordinary method, in an ordinary turn. The
//! turn's state and the reminder's next due time are one commit, so that the effect of an occurrence happens once. The
//! core that finds what is due is [`quark_core::reminder`]; `service.rs` drives it.

mod agreed;
mod announce;
mod firing;
pub(crate) mod row;
mod service;
mod staged;

pub use staged::{Reminder, ReminderError, ReminderStatus, Reminders, Tick};

pub(crate) use announce::Notice;
pub(crate) use firing::{FIRE, Fire, Firing, answer};
pub(crate) use service::{Service, encode_index};
pub(crate) use staged::{Staged, TurnReminders};
