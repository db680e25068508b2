//! What the world and clients did, in words and as data.

use crate::history::{Op, Outcome, WorldEvent};
use serde_json::{Value, json};

/// What the world did, in words.
pub(super) fn words(event: &WorldEvent) -> String {
    match event {
        WorldEvent::Crashed(silo) => format!("{silo} lost power"),
        WorldEvent::Paused(silo) => format!("{silo} froze"),
        WorldEvent::Resumed(silo) => format!("{silo} goes on"),
        WorldEvent::Healed => "all faults are over".into(),
        WorldEvent::Quiet => "nothing is under way any more".into(),
        WorldEvent::Sampled { silo, status } => {
            format!("{silo} holds {} activations, {} calls wait", status.activations, status.pending)
        }
        WorldEvent::StoreCommit { partition, version, puts, claim, .. } => {
            let rows: Vec<&str> = puts.iter().map(|row| &**row).collect();
            match claim {
                Some((epoch, silo)) => format!("{silo} claims {partition} in the store, epoch {epoch}"),
                None => format!("the store has version {version} of {partition}: {}", rows.join(", ")),
            }
        }
        WorldEvent::Slowed { name, milli } => format!("{name} takes {milli} thousandths of the usual time"),
        WorldEvent::StoreFailedOver => "a replica took the store over".into(),
        WorldEvent::WallClocks { most, .. } => format!("the furthest wall clock is {most:?} ahead"),
        WorldEvent::DirectorySampled { silo, hosts, entries } => {
            format!("{silo} hosts {} actors and keeps {} entries", hosts.len(), entries.len())
        }
        WorldEvent::Served { actor, failure: None } => format!("{actor} answers"),
        WorldEvent::Served { actor, failure: Some(reason) } => format!("{actor} does not answer: {reason}"),
        WorldEvent::Scanned { actor, version, .. } => format!("the store has version {version} of {actor}"),
        WorldEvent::Endowed { fund, total } => format!("there are {total} of {fund}"),
        WorldEvent::Counted { fund, parts, .. } => {
            let total: u64 = parts.iter().map(|(_, part)| part).sum();
            format!("{total} of {fund} are found with {} actors", parts.len())
        }
        WorldEvent::Waived { promise, reason } => format!("{promise} is waived from here on: {reason}"),
    }
}

/// Everything that the words leave out.
pub(super) fn data(event: &WorldEvent) -> Vec<(&'static str, Value)> {
    match event {
        WorldEvent::StoreCommit { by, partition, version, write_id, puts, deletes, claim } => {
            let mut data = vec![
                ("partition", json!(partition)),
                ("version", json!(version.0)),
                ("write", json!(format!("{:032x}", write_id.0))),
                ("rows", json!(puts)),
                ("deleted", json!(deletes)),
                ("process", json!(by.1)),
            ];
            if let Some((epoch, silo)) = claim {
                data.push(("claims_epoch", json!(epoch.0)));
                data.push(("claimed_by", json!(silo.to_string())));
            }
            data
        }
        WorldEvent::Sampled { status, .. } => vec![
            ("view", json!(status.view)),
            ("activations", json!(status.activations)),
            ("entries", json!(status.entries)),
            ("pending", json!(status.pending)),
            ("held", json!(status.held)),
            ("forwarded", json!(status.forwarded)),
            ("parked", json!(status.parked)),
            ("early", json!(status.early)),
            ("turns", json!(status.turns)),
            ("commits", json!(status.commits)),
            ("dead_letters", json!(status.dead_letters)),
            ("lease_valid", json!(status.lease_valid)),
        ],
        WorldEvent::Waived { promise, reason } => {
            vec![("promise", json!(promise)), ("reason", json!(reason))]
        }
        _ => Vec::new(),
    }
}

/// What a client asks for.
pub(super) fn op_words(op: Op) -> String {
    match op {
        Op::Add(amount) => format!("add {amount}"),
        Op::Take(amount) => format!("give {amount}"),
        Op::Read => "say its balance".into(),
    }
}

/// What a client was told.
pub(super) fn outcome_words(outcome: Outcome) -> String {
    match outcome {
        Outcome::Ok(balance) => format!("done, the balance is {balance}"),
        Outcome::Refused(balance) => format!("refused, the balance is {balance}"),
        Outcome::Failed => "it did not happen".into(),
        Outcome::Unknown => "nobody knows whether it happened".into(),
    }
}
