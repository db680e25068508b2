//! What is demanded once all is healed: the cluster serves every actor that anybody ever used, agrees again, catches up with
//! its reminders, and what the store and the directory have is what was promised.
//!
//! The order is openraft's: converge, serve, converge again, scan. What is found is written into the history, where
//! `durability`, `directory` and `reminders` judge it.

use crate::checkers::{Sample, disagreements, partition_of, standing};
use crate::history::{Record, SiloEvent, SiloRecord, What, WorldEvent};
use crate::recorder::{OwnerRow, Recorder};
use crate::story::Story;
use futures_util::future::join_all;
use quark::Failure;
use quark::rows::RowKind;
use quark_core::codec::{self, CodecLimits};
use quark_core::{ActorId, Epoch, SiloId, Version, WallTime};
use quark_env::store::{Partition, Record as Row, RecordKey};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// How many actors are asked at a time.
const AT_ONCE: usize = 64;
/// How long an actor may take to answer, its activation included; and how often it is asked.
const PATIENCE: Duration = Duration::from_secs(30);
const ATTEMPTS: u32 = 4;
const PAUSE: Duration = Duration::from_secs(5);
/// How long silos that agreed may take to agree again: serving changes no membership.
const CONVERGE_AGAIN: Duration = Duration::from_secs(30);
/// How long reminders may take to be up to date: a retry's longest pause, a reading of a shard, an activation; twice.
const CATCH_UP: Duration = Duration::from_secs(150);
/// How late the last occurrence may be then.
const LATE_MAX: Duration = Duration::from_secs(5);
/// How long entries may take to be those of the activations: notices are repeated every other second.
const SETTLE: Duration = Duration::from_secs(60);

/// Every actor that the history saw answers; then the silos agree again, and no reminder is overdue.
pub async fn serve(story: &Story) {
    let Some(recorder) = story.recorder().cloned() else { return };
    let actors: Vec<ActorId> = recorder.read(seen).into_iter().collect();
    for some in actors.chunks(AT_ONCE) {
        let asked = some.iter().enumerate().map(|(nth, actor)| ask(story, actor, nth));
        for (actor, failure) in some.iter().zip(join_all(asked).await) {
            recorder.world(WorldEvent::Served { actor: actor.clone(), failure });
        }
    }
    story.then(format!("{} actors were asked whether they answer", actors.len()));
    let cluster = story.cluster.clone();
    story.eventually("I7", "the silos still agree", CONVERGE_AGAIN, || cluster.has_converged()).await;
    catch_up(story, &recorder).await;
}

/// The actors that anybody used, or that were ever active.
fn seen(records: &[Record]) -> BTreeSet<ActorId> {
    let mut actors = BTreeSet::new();
    for record in records {
        if let What::Silo(r) = &record.what
            && let SiloEvent::Activated { actor, .. } | SiloEvent::Placed { actor, .. } = &r.event
            && !actors.contains(actor)
        {
            actors.insert(actor.clone());
        }
    }
    actors
}

/// Asks until it answers; why it does not. No silo that runs owes no answer.
async fn ask(story: &Story, actor: &ActorId, nth: usize) -> Option<Arc<str>> {
    let mut failure = None;
    for attempt in 0..ATTEMPTS {
        let silos = story.cluster.silos();
        let (name, silo) = silos.get(nth % silos.len().max(1))?;
        let (tell, told) = oneshot::channel();
        let (silo, asked) = (silo.clone(), actor.clone());
        let patience = story.patience().unwrap_or(PATIENCE);
        story.world.host(story.cluster.node(name)).spawn("ping", async move {
            let _ = tell.send(silo.ping(&asked, patience).await);
        });
        match told.await {
            Ok(Ok(())) => return None,
            Ok(Err(why)) if is_an_answer(&why) => return None,
            Ok(Err(why)) => failure = Some(why.to_string().into()),
            Err(_) => failure = Some("the silo that asked is gone".into()),
        }
        if attempt + 1 < ATTEMPTS {
            story.world.sleep(PAUSE).await;
        }
    }
    failure
}

/// Whether the actor's own code, or what is stored of it, is what keeps it from answering: that is an answer.
fn is_an_answer(failure: &Failure) -> bool {
    matches!(
        failure,
        Failure::Panicked { .. }
            | Failure::Quarantined { .. }
            | Failure::ActivationFailed { .. }
            | Failure::Corrupt { .. }
            | Failure::NewerState { .. }
            | Failure::UnknownKind { .. }
    )
}

/// Waits until no reminder is overdue.
async fn catch_up(story: &Story, recorder: &Recorder) {
    let standing: Vec<_> = recorder.read(standing).into_keys().collect();
    if standing.is_empty() || story.cluster.silos().is_empty() {
        return;
    }
    let world = story.world.clone();
    let is_due = move |(actor, name): &(ActorId, Arc<str>)| {
        let due = peek(&world, actor, &format!("r/{name}")).and_then(|record| {
            let row = RowKind::Reminder.read(&record.value).ok()?;
            Some(WallTime(row.get("next_due")?.as_i64()?))
        });
        due.is_some_and(|due| due.0 + (LATE_MAX.as_nanos() as i64) < world.true_wall().0)
    };
    let what = format!("none of {} reminders is overdue", standing.len());
    story.eventually("I10", &what, CATCH_UP, || !standing.iter().any(&is_due)).await;
}

/// Writes down what the directory, the silos and the store have, once the first two agree.
pub async fn scan(story: &Story) {
    let Some(recorder) = story.recorder().cloned() else { return };
    let agrees = || disagreements(&samples(story)).is_empty();
    // If they never do, the checker says what does not agree.
    let until = story.world.now_true() + SETTLE;
    while !agrees() && story.world.now_true() < until {
        story.world.sleep(Duration::from_millis(50)).await;
    }
    for (silo, hosts, entries) in samples(story) {
        recorder.world(WorldEvent::DirectorySampled { silo, hosts, entries });
    }
    scan_store(story, &recorder);
}

fn samples(story: &Story) -> Vec<Sample> {
    let sample =
        |(_, silo): (String, quark::Silo)| (silo.id(), silo.activations().into(), silo.entries().into());
    story.cluster.silos().into_iter().map(sample).collect()
}

fn scan_store(story: &Story, recorder: &Recorder) {
    for actor in recorder.read(durable) {
        let rows = ["owner", "state", "mark"].map(|row| peek(&story.world, &actor, row));
        let version = rows.iter().flatten().map(|record| record.version).max().unwrap_or(Version(0));
        let owner = rows[0].as_ref().and_then(owner_of);
        recorder.world(WorldEvent::Scanned { actor, version, owner });
    }
}

/// The durable actors that were ever active.
fn durable(records: &[Record]) -> BTreeSet<ActorId> {
    let claimed = records.iter().filter_map(|record| match &record.what {
        What::Silo(SiloRecord { event: SiloEvent::Activated { actor, epoch }, .. }) => {
            (*epoch > Epoch(0)).then_some(actor)
        }
        _ => None,
    });
    claimed.cloned().collect()
}

fn owner_of(record: &Row) -> Option<(Epoch, SiloId)> {
    let row: OwnerRow = codec::decode(&record.value, CodecLimits::default()).ok()?;
    Some((Epoch(record.version.0), row.silo))
}

fn peek(world: &quark_sim::WorldHandle, actor: &ActorId, row: &str) -> Option<Row> {
    world.peek(&RecordKey { partition: Partition(partition_of(actor)), row: row.into() }).ok().flatten()
}
