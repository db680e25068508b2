//! What the runtime's own rows say, in JSON: for people who look into a store, and for tests that hold today's code to
//! what earlier code has written.
//!
//! An actor's state is no row of this kind, and neither are its slots (`s/{name}`): their records are opened by
//! [`stored`](crate::stored). Nor are those of the membership table, which are [`quark_core::membership::rows`].

use crate::durable::OwnerRow;
use crate::inbox::{self, Taken};
use crate::outbox::{self, Letter, LetterId};
use crate::reminders::row::{self as reminders, ReminderRow};
use bytes::Bytes;
use quark_core::codec::{self, CodecError, CodecLimits};
use quark_core::reminder::{IndexRow, RowKey};
use quark_env::store::VALUE_BYTES_MAX;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A kind of row that the runtime writes beside the actors' states.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum RowKind {
    /// `owner` of an actor's partition: who may commit, in which epoch.
    Owner,
    /// `in/{key}`: a call with an idempotency key, and its outcome.
    Inbox,
    /// `r/{name}`: a reminder.
    Reminder,
    /// `out/{epoch}/{number}`: a letter that nobody has taken yet.
    Letter,
    /// `~seen/{sender}`: the last letter of a sender that was taken.
    LetterMark,
    /// In a partition of the index of what is due: where a reminder is.
    ReminderIndex,
}

impl RowKind {
    /// All of them.
    pub const ALL: [RowKind; 6] = [
        RowKind::Owner,
        RowKind::Inbox,
        RowKind::Reminder,
        RowKind::Letter,
        RowKind::LetterMark,
        RowKind::ReminderIndex,
    ];

    /// The kind of a row by its name; `None` for a state, a slot, a mark, and whatever is not an actor's.
    ///
    /// ```
    /// use quark::rows::RowKind;
    ///
    /// let kind = RowKind::of_row("owner").expect("a row of the runtime");
    /// let row = kind.read(&[5, 1, b'a', 2]).expect("well formed");
    /// assert_eq!(row.to_string(), r#"{"claims":5,"silo":{"generation":2,"name":"a"}}"#);
    /// assert_eq!(kind.write(&row).expect("the same again"), [5, 1, b'a', 2][..]);
    /// ```
    pub fn of_row(name: &str) -> Option<RowKind> {
        match name {
            crate::durable::OWNER => Some(RowKind::Owner),
            _ if name.starts_with(inbox::PREFIX) => Some(RowKind::Inbox),
            _ if name.starts_with(reminders::PREFIX) => Some(RowKind::Reminder),
            _ if name.starts_with(outbox::PREFIX) => Some(RowKind::Letter),
            _ if name.starts_with(outbox::MARK_PREFIX) => Some(RowKind::LetterMark),
            _ => RowKey::parse(name).map(|_| RowKind::ReminderIndex),
        }
    }

    /// Its name, for people.
    pub const fn name(self) -> &'static str {
        match self {
            RowKind::Owner => "owner",
            RowKind::Inbox => "inbox",
            RowKind::Reminder => "reminder",
            RowKind::Letter => "letter",
            RowKind::LetterMark => "letter-mark",
            RowKind::ReminderIndex => "reminder-index",
        }
    }

    /// What a row says.
    ///
    /// Errors: see [`CodecError`]; never a guess.
    pub fn read(self, value: &[u8]) -> Result<Value, CodecError> {
        match self {
            RowKind::Owner => read::<OwnerRow>(value),
            RowKind::Inbox => read::<Taken>(value),
            RowKind::Reminder => read::<ReminderRow>(value),
            RowKind::Letter => read::<Letter>(value),
            RowKind::LetterMark => read::<LetterId>(value),
            RowKind::ReminderIndex => read::<IndexRow>(value),
        }
    }

    /// The row that says this, as today's code writes it.
    ///
    /// Errors: [`CodecError::Malformed`] if it is no row of this kind, and what else the codec refuses.
    pub fn write(self, means: &Value) -> Result<Bytes, CodecError> {
        match self {
            RowKind::Owner => write::<OwnerRow>(means),
            RowKind::Inbox => write::<Taken>(means),
            RowKind::Reminder => write::<ReminderRow>(means),
            RowKind::Letter => write::<Letter>(means),
            RowKind::LetterMark => write::<LetterId>(means),
            RowKind::ReminderIndex => write::<IndexRow>(means),
        }
    }
}

fn read<R: Serialize + DeserializeOwned>(value: &[u8]) -> Result<Value, CodecError> {
    let row: R = codec::decode(value, CodecLimits::default())?;
    serde_json::to_value(row).map_err(|error| malformed::<R>(&error))
}

fn write<R: Serialize + DeserializeOwned>(means: &Value) -> Result<Bytes, CodecError> {
    let row = R::deserialize(means).map_err(|error| malformed::<R>(&error))?;
    codec::encode(&row, VALUE_BYTES_MAX)
}

fn malformed<R>(error: &serde_json::Error) -> CodecError {
    CodecError::Malformed { of: std::any::type_name::<R>(), reason: error.to_string() }
}
