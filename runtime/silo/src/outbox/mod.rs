//! Letters from actor to actor that are sent if and only if a turn commits, and take effect once (promise P5).
//!
//! A letter is a row in its sender's partition, committed with the state of the turn that wrote it. After that the silo
//! delivers it, and again, until the receiver has taken it: its turn, its state and the mark of the letter are one commit
//! in the receiver's partition. The row is deleted by a later commit of the sender.
//!
//! ```text
//! sender's turn ── commit: state + out/{epoch}/{number} ──▶ delivery ──▶ receiver's turn ── commit: state + ~seen/{sender}
//!                                     ▲                                                                    │
//!       commit: out/… deleted ◀───────┴────────────────────────────── answer ◀─────────────────────────────┘
//! ```
//! A letter is known by its sender's epoch and a number. Epochs are never reissued, not even by a store that went back in
//! time, and only committed letters are ever sent, to each receiver one after the other in their order. So one mark per
//! sender is enough, whatever is lost, repeated, delayed or comes from an activation that is no more: what is not above
//! the mark has been taken. The mark never expires.
//!
//! A sender that is not in memory is woken by a row in the index of reminders, under a name that no reminder has.
//!
//! After the transactional outbox and the idempotent receiver (Hohpe and Woolf, *Enterprise Integration Patterns*, 2003).

mod delivery;
mod letter;
mod outgoing;
mod post;
mod seen;
mod staged;

pub use letter::LetterId;
pub use post::LetterStatus;
pub use staged::{Outbox, OutboxError};

pub(crate) use delivery::{DELIVER, Delivery, SWEEP, WAKE, WAKE_EVERY};
pub(crate) use letter::{Letter, PREFIX, load};
pub(crate) use post::Post;
pub(crate) use seen::{MARK_PREFIX, Seen, mark_row};
pub(crate) use staged::TurnOutbox;
