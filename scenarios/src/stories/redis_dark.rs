//! Story 33: the store is gone for ten leases, and the silos see one another.

use crate::bank::Account;
use crate::cast::{Counter, Tally};
use crate::workload::Deposits;
use quark::env::store::RecordKey;
use quark::{CallError, Client, Failure};
use quark_core::{Instant, SiloId, Version, reached};
use quark_sim::Config;
use quark_testkit::history::SiloEvent;
use quark_testkit::stage::Dark;
use quark_testkit::story::{Scenario, Tale};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::oneshot;

/// See its premise.
pub const SCENARIO: Scenario = Scenario {
    name: "redis-dark",
    premise: "Nobody reaches the store for ten leases, while all five silos see one another. Nobody is evicted, nobody \
              stops, no actor gets a new epoch unless it wanted to write; reads and volatile work go on, and commits say \
              that they did not happen, or that nobody knows. Within a heartbeat of the store's return all is as before.",
    sometimes: &[
        "membership.lease.vouched",
        "redis_dark.commit_refused",
        "redis_dark.commit_in_doubt",
        "redis_dark.placed_in_the_dark",
    ],
    world: Config::new,
    describe: |silo| silo.actor::<Account>().actor::<Counter>(),
    tell: |story| Box::pin(tell(story.tale())),
    anywhere: Some(|tale| Box::pin(tell(tale))),
    ..Scenario::BLANK
};

const SILOS: [&str; 5] = ["a", "b", "c", "d", "e"];
/// So many leases does the dark last. A mere majority of vouches lasts for these and three more.
const LEASES: u32 = 10;
const LEASE: Duration = Duration::from_secs(3);
/// The same for a cluster of processes, which has to be given this lease: as short as a busy machine bears. One that does
/// not run for so long loses its lease in the dark, and is right to.
const REAL_LEASES: u32 = 5;
const REAL_LEASE: Duration = Duration::from_secs(2);
/// From the store's return until every silo has renewed its lease there: `renew_every`, and, if the renewal before was
/// written and its answer lost, a reading of the row and another renewal. None of the three takes more than 50 ms.
const HEARTBEAT: Duration = Duration::from_millis(1_200);
/// The same for a store that is a server of its own: its clients look for it once a second, and need a moment to be let in.
const REAL_HEARTBEAT: Duration = Duration::from_millis(1_200 + 1_000);
/// Accounts that are read in the dark, and counters that count in it.
const QUIET: u64 = 8;
const BUSY: u64 = 12;
const REFUSED: u64 = 8;
const DEADLINE: Duration = Duration::from_secs(2);
/// How long a depositor waits.
const PATIENCE: Duration = Duration::from_secs(5);
/// A server that hangs is given two seconds; a caller who waits longer is told what became of it.
const REFUSAL: Duration = Duration::from_secs(4);

async fn tell(s: Tale) {
    s.given("five silos, accounts of which some are only read, counters in memory, and steady deposits");
    if !s.start_all(&SILOS).await {
        return;
    }
    let real = s.stage.takes_real_time();
    let client = s.stage.client("client-reader").await;
    let mut memory = Memory::default();
    for key in 0..QUIET {
        let account = client.actor::<Account>(&format!("quiet-{key}"));
        let answer = account.deposit(key + 1).await;
        s.require("I5", answer == Ok(key + 1), || format!("quiet-{key} does not serve: {answer:?}"));
        count(&s, &client, key, &mut memory).await;
    }
    // Those that run already meet the dark in their commits, the others in their claims.
    for key in 0..REFUSED / 2 {
        let answer = client.actor::<Account>(&format!("refused-{key}")).deposit(1).await;
        s.require("I5", answer == Ok(1), || format!("refused-{key} does not serve: {answer:?}"));
    }
    let load = Deposits::start_with(&s, 3, BUSY, if real { DEADLINE } else { PATIENCE }).await;
    // Everybody's lease row names all five by then.
    let (leases, lease) = if real { (REAL_LEASES, REAL_LEASE) } else { (LEASES, LEASE) };
    s.stage.sleep(lease + s.draw_time("dark", 0, Duration::from_secs(1))).await;
    let (before, owners) = (everybody(&s), owners(&s).await);

    let how = [Dark::Hangs, Dark::Ends][s.draw("how", 0, 2) as usize];
    s.when(match how {
        Dark::Hangs => "the store goes dark for everyone: it hangs",
        Dark::Ends => "the store goes dark for everyone: it is gone",
    });
    let leases_lost = leases_lost(&s);
    s.stage.darken_store(how);
    let ends = s.stage.now() + leases * lease;
    let watcher = watch(&s, before.clone(), ends);
    // An answer of the store that came before may still be on its way to a client.
    s.stage.sleep(Duration::from_millis(if real { 500 } else { 50 })).await;
    let (acknowledged, failed) = (load.acknowledged(), load.failed());
    let mut turn = 0;
    let patience = if real { REFUSAL } else { DEADLINE };
    while s.stage.now() + patience < ends {
        turn += 1;
        go_on(&s, &client, turn, &mut memory).await;
        refuse(&s, &client, turn).await;
        s.stage.sleep(s.draw_time("pause", turn, Duration::from_millis(200))).await;
    }
    s.stage.sleep(ends.since(s.stage.now())).await;
    let _ = watcher.await;
    s.require("P3", load.acknowledged() == acknowledged, || {
        format!("{} deposits were acknowledged in the dark", load.acknowledged() - acknowledged)
    });
    s.require("I5", load.failed() > failed, || "no deposit was refused in the dark".into());

    let lost = self::leases_lost(&s) - leases_lost;
    s.require("P12", lost == 0, || format!("{lost} leases ended in the dark"));

    s.when("the store is back");
    s.stage.light_store().await;
    let leases = self::leases(&s).await;
    let limit = if real { REAL_HEARTBEAT } else { HEARTBEAT };
    s.eventually_async(
        "P12",
        "every silo has renewed its lease, and a deposit is acknowledged",
        limit,
        || {
            let acknowledged = load.acknowledged() > acknowledged;
            let renewed = renewed(&s, &leases);
            async move { acknowledged && renewed.await }
        },
    )
    .await;
    s.stage.sleep(if real { DEADLINE } else { Duration::from_secs(5) }).await;
    s.require("P12", everybody(&s) == before, || format!("{before:?} were there, now {:?}", everybody(&s)));
    let now = self::owners(&s).await;
    s.require("P1", now == owners, || "an actor that was only read has a new epoch".into());
    s.finally("every account serves, and has every acknowledged deposit");
    load.stop_and_check(&s).await;
}

/// What the counters last said.
type Memory = BTreeMap<u64, Tally>;

/// Which silos run and believe in their leases, and the view of each.
fn everybody(s: &Tale) -> Vec<(SiloId, u64)> {
    let looks = SILOS.iter().filter(|name| s.stage.is_up(name)).filter_map(|name| s.stage.look(name));
    looks.filter(|look| look.lease_valid).map(|look| (look.id, look.view.version.0)).collect()
}

/// The owner rows of the accounts that are only read.
async fn owners(s: &Tale) -> Vec<Option<Version>> {
    let row = |key| RecordKey::new(format!("a0.7/account/quiet-{key}").as_str(), "owner");
    versions(s, (0..QUIET).map(row)).await
}

async fn leases(s: &Tale) -> Vec<Option<Version>> {
    versions(s, SILOS.iter().map(|name| RecordKey::new("cluster", &format!("lease/{name}")))).await
}

async fn renewed(s: &Tale, before: &[Option<Version>]) -> bool {
    leases(s).await.iter().zip(before).all(|(now, before)| now > before)
}

async fn versions(s: &Tale, keys: impl Iterator<Item = RecordKey>) -> Vec<Option<Version>> {
    let mut versions = Vec::new();
    for key in keys {
        versions.push(s.stage.peek(&key).await.map(|record| record.version));
    }
    versions
}

/// How often a silo has lost its lease so far, by its own account.
fn leases_lost(s: &Tale) -> usize {
    let Some(recorder) = s.recorder() else { return 0 };
    let history = recorder.history();
    history.silo_records().filter(|(_, _, record)| record.event == SiloEvent::LeaseLost).count()
}

/// Looks again and again that nobody stops, lapses, or sees another view.
fn watch(
    s: &Tale,
    before: Vec<(SiloId, u64)>,
    until: Instant,
) -> impl Future<Output = Result<(), oneshot::error::RecvError>> {
    let (done, ended) = oneshot::channel();
    let story = s.clone();
    s.require("P12", before.len() == SILOS.len(), || format!("only {before:?} hold leases at the start"));
    s.stage.spawn(Box::pin(async move {
        while story.stage.now() < until {
            let now = everybody(&story);
            if now != before {
                story.violated("P12", format!("{before:?} held leases, and in the dark only {now:?}"));
                break;
            }
            story.stage.sleep(Duration::from_millis(100)).await;
        }
        let _ = done.send(());
    }));
    ended
}

/// What needs no commit goes on: an account is read, a counter counts, an actor that nobody has called is placed.
async fn go_on(s: &Tale, client: &Client, turn: u64, memory: &mut Memory) {
    let key = s.draw("key", turn, QUIET);
    let balance = client.actor::<Account>(&format!("quiet-{key}")).balance().deadline(DEADLINE).await;
    s.require("P12", balance == Ok(key + 1), || format!("quiet-{key} cannot be read: {balance:?}"));
    count(s, client, key, memory).await;
    count(s, client, QUIET + turn, memory).await;
    reached!("redis_dark.placed_in_the_dark");
}

/// A counter counts on, in the same activation.
async fn count(s: &Tale, client: &Client, key: u64, memory: &mut Memory) {
    match client.actor::<Counter>(&format!("counter-{key}")).add(1).deadline(DEADLINE).await {
        Ok(tally) => {
            let expected = memory.get(&key).map_or(1, |before| before.count + 1);
            let before = memory.insert(key, tally);
            let same = before.is_none_or(|b| (b.host, b.born_ns) == (tally.host, tally.born_ns));
            s.require("P10", same && tally.count == expected, || {
                format!("counter-{key} said {before:?}, and then {tally:?}")
            });
        }
        Err(error) => s.violated("P12", format!("counter-{key} does not count: {error}")),
    }
}

/// A commit in the dark did not happen, or nobody knows; it is never acknowledged.
async fn refuse(s: &Tale, client: &Client, turn: u64) {
    let account = client.actor::<Account>(&format!("refused-{}", turn % REFUSED));
    let patience = if s.stage.takes_real_time() { REFUSAL } else { DEADLINE };
    let answer = account.deposit(1).deadline(patience).await;
    match answer {
        Err(CallError::Failed(Failure::StoreUnavailable { .. })) => reached!("redis_dark.commit_refused"),
        Err(CallError::Failed(Failure::Indeterminate { .. })) => reached!("redis_dark.commit_in_doubt"),
        other => s.violated("P3", format!("a deposit in the dark was answered with {other:?}")),
    }
}
