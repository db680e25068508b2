//! What a reply says, as bytes and back.
//!
//! A failure that this program's elders do not know is sent with a description in words that every reader understands: what
//! it is called, whether the call happened, and what it says. Who does not know the failure itself tells its caller that
//! much, and not merely that it could not read a reply.
//!
//! ```text
//!   0  the result                    1  the actor's own error          3  not executed, look elsewhere
//!   2  a failure of the first kinds  4  a later one, with its description
//! ```

use crate::error::{Failure, Happened};
use crate::message::Ended;
use bytes::Bytes;
use quark_core::codec::{self, CodecLimits};
use quark_core::reached;
use serde::{Deserialize, Serialize};

const RESULT: u8 = 0;
const REFUSAL: u8 = 1;
const FAILURE: u8 = 2;
const BOUNCED: u8 = 3;
const DESCRIBED: u8 = 4;
/// The most bytes of a failure.
const FAILURE_BYTES_MAX: usize = 4 << 20;

/// A failure, and what there is to say to one who does not know it.
#[derive(Serialize, Deserialize)]
struct Described {
    name: String,
    happened: Happened,
    message: String,
    failure: Bytes,
}

/// The number and the payload of a reply.
pub(crate) fn encode(ended: &Ended) -> (u8, Bytes) {
    match ended {
        Ended::Ok(bytes) => (RESULT, bytes.clone()),
        Ended::App(bytes) => (REFUSAL, bytes.clone()),
        Ended::Bounced => (BOUNCED, Bytes::new()),
        Ended::Failed(failure) => {
            let bytes = codec::encode(failure, FAILURE_BYTES_MAX).expect("a failure is small and encodes");
            match is_of_the_first(failure) {
                true => (FAILURE, bytes),
                false => {
                    (DESCRIBED, describe(failure.name(), failure.happened(), failure.to_string(), bytes))
                }
            }
        }
    }
}

fn describe(name: &str, happened: Happened, message: String, failure: Bytes) -> Bytes {
    let described = Described { name: name.into(), happened, message, failure };
    codec::encode(&described, FAILURE_BYTES_MAX).expect("a failure is small and encodes")
}

/// What a reply says. Never fails: what cannot be read is an outcome that is not known.
pub(crate) fn decode(outcome: u8, payload: Bytes) -> Ended {
    match outcome {
        RESULT => Ended::Ok(payload),
        REFUSAL => Ended::App(payload),
        BOUNCED => Ended::Bounced,
        FAILURE => Ended::Failed(read(&payload).unwrap_or_else(|error| unreadable(&error))),
        DESCRIBED => match read::<Described>(&payload) {
            Ok(described) => Ended::Failed(known_or_described(described)),
            Err(error) => Ended::Failed(unreadable(&error)),
        },
        other => Ended::Failed(Failure::Indeterminate { reason: format!("unknown outcome {other}") }),
    }
}

fn read<T: serde::de::DeserializeOwned>(payload: &[u8]) -> Result<T, codec::CodecError> {
    codec::decode(payload, CodecLimits::default())
}

fn unreadable(error: &codec::CodecError) -> Failure {
    Failure::Indeterminate { reason: format!("an unreadable reply: {error}") }
}

fn known_or_described(described: Described) -> Failure {
    let Described { name, happened, message, failure } = described;
    match read::<Failure>(&failure) {
        // Another failure may have the number that this one has at the peer.
        Ok(known) if known.name() == name => known,
        Ok(_) | Err(_) => {
            reached!("reply.newer_failure");
            match happened {
                Happened::No => Failure::Incompatible {
                    reason: format!("a newer peer said `{name}`, it did not happen: {message}"),
                },
                Happened::Unknown => Failure::Indeterminate {
                    reason: format!("a newer peer said `{name}`, it may have happened: {message}"),
                },
            }
        }
    }
}

/// Whether every program knows it. Those that come later are described: nobody has to remember to say so.
fn is_of_the_first(failure: &Failure) -> bool {
    matches!(
        failure,
        Failure::Overloaded { .. }
            | Failure::DeadlineBeforeRun
            | Failure::Indeterminate { .. }
            | Failure::Unreachable { .. }
            | Failure::Deadlock { .. }
            | Failure::Panicked { .. }
            | Failure::Quarantined { .. }
            | Failure::Fenced { .. }
            | Failure::StoreUnavailable { .. }
            | Failure::Corrupt { .. }
            | Failure::TooLarge { .. }
            | Failure::UnknownKind { .. }
            | Failure::UnknownMethod { .. }
            | Failure::BadArguments { .. }
            | Failure::ActivationFailed { .. }
            | Failure::Stopping { .. }
            | Failure::Incompatible { .. }
            | Failure::Rejected { .. }
            | Failure::Cancelled
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use quark_core::ActorId;

    fn newer_state() -> Failure {
        let actor = ActorId::new("account", "alice").expect("valid");
        Failure::NewerState { actor, slot: Some("history".into()), stored: 3, known: 1 }
    }

    #[test]
    fn every_outcome_is_what_it_was() {
        let all = [
            Ended::Ok(Bytes::from_static(b"yes")),
            Ended::App(Bytes::from_static(b"no")),
            Ended::Failed(Failure::Cancelled),
            Ended::Failed(newer_state()),
            Ended::Bounced,
        ];
        for (ended, number) in all.into_iter().zip([0, 1, 2, 4, 3]) {
            let (outcome, payload) = encode(&ended);
            assert_eq!((outcome, decode(outcome, payload)), (number, ended));
        }
    }

    #[test]
    fn a_failure_that_is_not_known_says_what_it_is_and_whether_it_happened() {
        // The number of a variant that nobody has, and that of one which has another name here.
        for bytes in [&[200][..], &[18]] {
            let told = |happened| {
                let bytes = Bytes::copy_from_slice(bytes);
                decode(DESCRIBED, describe("too_soon", happened, "wait until noon".into(), bytes))
            };
            let Ended::Failed(Failure::Incompatible { reason }) = told(Happened::No) else { panic!("no") };
            assert_eq!(reason, "a newer peer said `too_soon`, it did not happen: wait until noon");
            let Ended::Failed(failure) = told(Happened::Unknown) else { panic!("it failed") };
            assert_eq!((failure.happened(), failure.may_retry()), (Happened::Unknown, false));
            assert!(failure.to_string().ends_with("it may have happened: wait until noon"), "{failure}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_not_known() {
        let cut = encode(&Ended::Failed(newer_state())).1.slice(..5);
        for (outcome, payload) in [
            (FAILURE, Bytes::from_static(&[200])),
            (DESCRIBED, cut),
            (DESCRIBED, Bytes::new()),
            (5, Bytes::new()),
        ] {
            let Ended::Failed(failure) = decode(outcome, payload) else { panic!("it failed") };
            assert_eq!(failure.happened(), Happened::Unknown);
        }
    }
}
