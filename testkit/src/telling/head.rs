//! What a frame is about, read off its envelope: enough to name it, and to find what it answers.

use bytes::Bytes;
use quark_core::codec::{self, CodecLimits};
use quark_core::directory::DirectoryMessage;
use quark_core::membership::MembershipMessage;
use quark_core::wire::{CallId, Envelope, Kind, Limits};
use quark_core::{ActorId, SiloId};
use serde::Deserialize;

/// What a frame is about.
#[derive(Clone, Debug)]
pub(super) struct FrameHead {
    /// In a word: `request`, `reply`, `probe`, ..
    pub(super) what: String,
    /// In words of its message, for a control frame.
    pub(super) detail: String,
    /// Who issued the call, and their number for it.
    pub(super) call: Option<(SiloId, CallId)>,
    pub(super) actor: Option<ActorId>,
    /// The actor whose turn made the call.
    pub(super) caller: Option<ActorId>,
    /// What an answer repeats of its question: a family of messages, and a number.
    pub(super) asks: Option<(&'static str, u64)>,
    pub(super) is_reply: bool,
}

/// The control messages of a silo as far as they can be named here: its own enum is its own business, and what is not
/// understood is called `control`.
#[derive(Debug, Deserialize)]
enum Control {
    Membership(MembershipMessage),
    Directory(DirectoryMessage),
}

/// As long as what is written down of a control message may be, in characters.
const DETAIL_MAX: usize = 300;

impl FrameHead {
    /// What a frame from one silo to another is about. Never fails: a frame that cannot be read is called `unreadable`.
    pub(super) fn of(from: SiloId, to: SiloId, bytes: &Bytes) -> Self {
        let Ok(envelope) = Envelope::decode(bytes.clone(), &Limits::default()) else {
            return Self::named("unreadable");
        };
        let is_reply = matches!(envelope.kind, Kind::Reply | Kind::Moved | Kind::Ack);
        let issuer = if is_reply { to } else { envelope.origin.unwrap_or(from) };
        let what = match envelope.kind {
            Kind::Request if envelope.hops > 0 => "forwarded request",
            Kind::Request => "request",
            Kind::Reply if envelope.outcome == 0 => "reply",
            Kind::Reply => "failure",
            Kind::OneWay => "one-way",
            Kind::Ack => "ack",
            Kind::Moved => "moved",
            Kind::Cancel => "cancel",
            Kind::Control => return Self::control(&envelope.payload),
        };
        let call = (envelope.call != CallId::default()).then_some((issuer, envelope.call));
        let caller = envelope.chain.last().cloned();
        Self { call, actor: envelope.actor, caller, is_reply, ..Self::named(what) }
    }

    fn named(what: &str) -> Self {
        Self {
            what: what.into(),
            detail: String::new(),
            call: None,
            actor: None,
            caller: None,
            asks: None,
            is_reply: false,
        }
    }

    fn control(payload: &[u8]) -> Self {
        let Ok(message) = codec::decode::<Control>(payload, CodecLimits::default()) else {
            return Self::named("control");
        };
        let (said, asks, actor) = match &message {
            Control::Membership(message) => (format!("{message:?}"), membership(message), None),
            Control::Directory(message) => (format!("{message:?}"), directory(message), subject(message)),
        };
        let name: String = said.chars().take_while(char::is_ascii_alphanumeric).collect();
        let detail = said.chars().take(DETAIL_MAX).collect();
        Self { detail, asks, actor, ..Self::named(&spaced(&name)) }
    }
}

fn membership(message: &MembershipMessage) -> Option<(&'static str, u64)> {
    match message {
        MembershipMessage::Probe { nonce, .. } | MembershipMessage::ProbeAck { nonce, .. } => {
            Some(("probe", *nonce))
        }
        MembershipMessage::ProbeFor { nonce, .. } | MembershipMessage::ProbedFor { nonce, .. } => {
            Some(("probe for", *nonce))
        }
        MembershipMessage::Ballot { round, .. } | MembershipMessage::Votes { round, .. } => {
            Some(("ballot", *round))
        }
        MembershipMessage::VouchRequest { round } | MembershipMessage::Vouch { round } => {
            Some(("vouch", *round))
        }
        _ => None,
    }
}

fn directory(message: &DirectoryMessage) -> Option<(&'static str, u64)> {
    match message {
        DirectoryMessage::Transfer { request, .. }
        | DirectoryMessage::Transferred { request, .. }
        | DirectoryMessage::Recover { request, .. }
        | DirectoryMessage::Hosting { request, .. }
        | DirectoryMessage::Behind { request, .. } => Some(("transfer", *request)),
        _ => None,
    }
}

fn subject(message: &DirectoryMessage) -> Option<ActorId> {
    match message {
        DirectoryMessage::Evict { actor, .. } => Some(actor.clone()),
        _ => None,
    }
}

/// `ProbeAck` as people write it: `probe ack`.
fn spaced(name: &str) -> String {
    let mut text = String::new();
    for (at, letter) in name.chars().enumerate() {
        if letter.is_ascii_uppercase() && at > 0 {
            text.push(' ');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use quark_core::{Generation, SiloName};

    #[test]
    fn a_name_of_the_code_becomes_words() {
        assert_eq!(spaced("ProbeAck"), "probe ack");
    }

    #[test]
    fn bytes_that_are_no_envelope_have_a_name_too() {
        let silo = SiloId::new(SiloName::new("a").expect("valid"), Generation(1));
        assert_eq!(FrameHead::of(silo, silo, &Bytes::from_static(b"\x07nonsense")).what, "unreadable");
    }
}
