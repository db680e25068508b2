//! What silos did, in words and as data.

use crate::history::SiloEvent;
use quark_core::view::{Status, View};
use quark_core::{Instant, SiloId};
use serde_json::{Value, json};

/// In words. Whose actor it is, and where it happened, is said beside them.
pub(super) fn words(event: &SiloEvent) -> String {
    match event {
        SiloEvent::Joined => "joined the cluster".into(),
        SiloEvent::ViewInstalled { view } => view_words(view),
        SiloEvent::LeaseHeld { .. } => "lease held".into(),
        SiloEvent::LeaseLost => "lease lost: no turn may start".into(),
        SiloEvent::Stopped { reason } => format!("stopped: {reason}"),
        SiloEvent::Placed { actor, on } => format!("placed {actor} on {on}"),
        SiloEvent::Activated { actor, epoch } => format!("{actor} is active, epoch {epoch}"),
        SiloEvent::Deactivated { actor, reason, .. } => format!("{actor} ended: {reason}"),
        SiloEvent::TurnStarted(turn) => format!("turn of {} for {}", turn.actor, turn.caller),
        SiloEvent::TurnEnded { actor, .. } => format!("turn of {actor} ended"),
        SiloEvent::CommitAsked(asked) => {
            format!("{} asks for a commit after version {}", asked.actor, asked.after)
        }
        SiloEvent::ReminderAsked { actor, name, change, .. } => {
            format!("reminder `{name}` of {actor}: {change:?}")
        }
        SiloEvent::Committed { actor, version, .. } => format!("{actor} committed version {version}"),
        SiloEvent::Fenced { actor, epoch } => format!("{actor} of epoch {epoch} fenced"),
        SiloEvent::StoreWentBack { partition, seen, found } => {
            format!("the store went back: {partition} had version {seen}, has {found}")
        }
        SiloEvent::CallIssued { actor, .. } => format!("calls {actor}"),
        SiloEvent::CallEnded { outcome, .. } => format!("call ended: {outcome}"),
        SiloEvent::DeadLettered { actor: Some(actor), reason } => {
            format!("dropped a message to {actor}: {reason}")
        }
        SiloEvent::DeadLettered { actor: None, reason } => format!("dropped a message: {reason}"),
    }
}

fn view_words(view: &View) -> String {
    let named = |status| {
        let of_status = view.members.iter().filter(move |member| member.status == status);
        of_status.map(|member| member.id.to_string()).collect::<Vec<_>>()
    };
    let mut text = format!("view {}: {}", view.version, named(Status::Active).join(" "));
    let others = [(Status::Joining, "joining"), (Status::Draining, "draining"), (Status::Dead, "dead")];
    for (status, word) in others {
        let silos = named(status);
        if !silos.is_empty() {
            text += &format!("; {word}: {}", silos.join(" "));
        }
    }
    text
}

/// Everything that the words leave out. Times are those of the silo's own clock.
pub(super) fn data(event: &SiloEvent, local: Instant) -> Vec<(&'static str, Value)> {
    let mut data = vec![("local_ns", json!(local.0))];
    let name = |silo: SiloId| json!(silo.to_string());
    match event {
        SiloEvent::ViewInstalled { view } => data.push(("view", json!(view.version.0))),
        SiloEvent::LeaseHeld { until } => data.push(("until_local_ns", json!(until.0))),
        SiloEvent::Placed { on, .. } => data.push(("on", name(*on))),
        SiloEvent::Activated { epoch, .. }
        | SiloEvent::Deactivated { epoch, .. }
        | SiloEvent::Fenced { epoch, .. } => data.push(("epoch", json!(epoch.0))),
        SiloEvent::TurnStarted(turn) => {
            data.push(("epoch", json!(turn.epoch.0)));
            data.push(("method", json!(format!("{:08x}", turn.method.0))));
            data.push(("caller", name(turn.caller)));
            data.push(("exclusive", json!(turn.exclusive)));
            data.push(("deadline_local_ns", json!(turn.deadline.0)));
            if let Some((sender, place)) = turn.order {
                data.push(("order", json!([sender.to_string(), place.to_string()])));
            }
        }
        SiloEvent::TurnEnded { epoch, caller, exclusive, .. } => {
            data.push(("epoch", json!(epoch.0)));
            data.push(("caller", name(*caller)));
            data.push(("exclusive", json!(exclusive)));
        }
        SiloEvent::CommitAsked(asked) => {
            data.push(("epoch", json!(asked.epoch.0)));
            data.push(("write", json!(format!("{:032x}", asked.write.0))));
            if let Some(once) = &asked.once {
                data.push(("once", json!(format!("{once:?}"))));
            }
        }
        SiloEvent::ReminderAsked { write, .. } => {
            data.push(("write", json!(format!("{:032x}", write.0))));
        }
        SiloEvent::Committed { epoch, version, .. } => {
            data.push(("epoch", json!(epoch.0)));
            data.push(("version", json!(version.0)));
        }
        SiloEvent::StoreWentBack { partition, seen, found } => {
            data.push(("partition", json!(partition)));
            data.push(("seen", json!(seen.0)));
            data.push(("found", json!(found.0)));
        }
        SiloEvent::CallIssued { deadline, .. } => data.push(("deadline_local_ns", json!(deadline.0))),
        SiloEvent::CallEnded { outcome, deadline, .. } => {
            data.push(("outcome", json!(outcome)));
            data.push(("deadline_local_ns", json!(deadline.0)));
        }
        SiloEvent::Joined
        | SiloEvent::LeaseLost
        | SiloEvent::Stopped { .. }
        | SiloEvent::DeadLettered { .. } => {}
    }
    data
}
