//! Story 34: a replica takes over that lacks the last half second of acknowledged commits.

use crate::bank::Account;
use parking_lot::Mutex;
use quark::env::store::RecordKey;
use quark::{CallError, Client, Failure, Happened};
use quark_core::codec::{self, CodecLimits};
use quark_core::{Instant, SiloId, Version, ViewVersion, hash, reached};
use quark_sim::Config;
use quark_testkit::history::SiloEvent;
use quark_testkit::stage::Lost;
use quark_testkit::story::{Scenario, Tale};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;

/// See its premise.
pub const SCENARIO: Scenario = Scenario {
    name: "redis-failover-loses-writes",
    premise: "A replica takes over that lacks the last half second of acknowledged commits, of all records or of those of \
              one server. Whoever was told of a lost commit, and asks again, notices and reports it; nobody reports anything else; \
              what rested on it is fenced. Every account goes on from exactly what the replica had. No epoch, version or \
              view is given out twice, and nobody is evicted for it.",
    sometimes: &[
        "losses.reported",
        "membership.lease.row_went_back",
        "redis_failover.lost_a_deposit",
        "redis_failover.lost_a_renewal",
        "redis_failover.lost_a_claim",
    ],
    world: |seed| {
        let mut world = Config::new(seed);
        world.store.replica_lag = Some(Duration::from_millis(500));
        world
    },
    describe: |silo| silo.actor::<Account>(),
    tell: |story| Box::pin(tell(story.tale())),
    anywhere: Some(|tale| Box::pin(tell(tale))),
    ..Scenario::BLANK
};

const SILOS: [&str; 5] = ["a", "b", "c", "d", "e"];
const ACCOUNTS: u64 = 20;
const CLIENTS: u64 = 4;
const DEADLINE: Duration = Duration::from_secs(3);
/// From the replica's taking over until every account takes deposits, if nobody died: a call that meets the loss, another
/// that claims anew, each with an answer that was lost.
const SERVES: Duration = Duration::from_secs(10);

async fn tell(s: Tale) {
    s.given("five silos, and steady deposits to twenty accounts");
    if !s.start_all(&SILOS).await {
        return;
    }
    let load = Load::start(&s).await;
    s.stage.sleep(Duration::from_secs(3) + s.draw_time("fails", 0, Duration::from_secs(2))).await;
    // Some accounts are claimed for the first time just before.
    load.open_all();
    s.stage.sleep(s.draw_time("opened", 0, Duration::from_millis(600))).await;

    let before = everybody(&s);
    // A real stage has one server.
    let servers = if s.stage.takes_real_time() { 0 } else { s.draw("servers", 0, 4).saturating_sub(1) };
    s.when(match servers {
        0 => "the primary dies",
        1 => "one of the primaries dies, that of half of the accounts",
        _ => "one of the primaries dies, that of all accounts",
    });
    let victim = SILOS[s.draw("victim", 0, 5) as usize];
    let dies = s.draw("dies", 0, 2) == 0;
    if dies {
        s.when(format!("{victim} dies with it"));
        s.stage.crash(victim);
    }
    let failing = s.stage.fail_over_store(&|partition| match servers {
        0 => true,
        1 => partition.0.starts_with('a') && hash::point(partition.0.as_bytes()).is_multiple_of(2),
        _ => partition.0.starts_with('a'),
    });
    let lost = failing.await;
    let failed_at = s.stage.now();
    let mut kept = BTreeMap::new();
    for account in 0..ACCOUNTS {
        kept.insert(account, balance(&s, account).await);
    }
    count(&s, &lost);
    s.stage.sleep(Duration::from_millis(200) + s.draw_time("dark", 0, Duration::from_secs(2))).await;

    s.when("the replica has taken over");
    s.stage.light_store().await;
    let since = s.stage.now();
    if !dies {
        s.eventually("P17", "every account has taken a deposit", SERVES, || load.all_served_since(since))
            .await;
        let evicted = SILOS.iter().filter(|name| !s.stage.is_up(name)).count();
        s.require("P12", evicted == 0, || format!("{evicted} silos have stopped because the store forgot"));
        let after = everybody(&s);
        let same = before.iter().zip(&after).all(|(b, a)| b.0 == a.0 && b.1 <= a.1);
        s.require("I8", same && before.len() == after.len(), || {
            format!("the silos and views were {before:?}, and are {after:?}")
        });
    } else {
        let limit = SERVES + Duration::from_secs(20);
        s.eventually("P17", "every account has taken a deposit", limit, || load.all_served_since(since))
            .await;
        let _ = s.stage.start(victim).await;
    }
    s.stage.sleep(Duration::from_secs(2)).await;
    let deposits = load.stop().await;
    s.finally("every account has what the replica had, and what was acknowledged since");
    audit(&s, &deposits, &kept, failed_at).await;
    // Where pipes carry what silos say, a word from before the fall may come after it; in the dark nobody is told anything.
    let asked_from = if s.stage.takes_real_time() { since } else { failed_at };
    compare_reports(&s, &lost, asked_from);
}

/// Who runs, and which view each of them has.
fn everybody(s: &Tale) -> Vec<(SiloId, ViewVersion)> {
    let up = SILOS.iter().filter(|name| s.stage.is_up(name));
    up.filter_map(|name| s.stage.look(name)).map(|look| (look.id, look.view.version)).collect()
}

/// What the store holds for an account.
async fn balance(s: &Tale, account: u64) -> u64 {
    let key = RecordKey::new(partition_of(account).as_str(), "state");
    let Some(record) = s.stage.peek(&key).await else { return 0 };
    let state: Account =
        codec::decode(&record.value, CodecLimits::default()).expect("it was written by this build");
    state.balance()
}

fn partition_of(account: u64) -> String {
    format!("a0.7/account/account-{account}")
}

fn count(s: &Tale, lost: &[Lost]) {
    let told = lost.iter().filter(|lost| !lost.told.is_empty()).count();
    s.then(format!(
        "of {} partitions something is lost, of {told} something that a silo was told",
        lost.len()
    ));
    let has_hit = told > 0 || !s.stage.takes_real_time();
    s.require("P13", has_hit, || "nothing is lost that anybody was told of".into());
    if lost.iter().any(|lost| lost.partition.0.starts_with('a')) {
        reached!("redis_failover.lost_a_deposit");
    }
    if lost.iter().any(|lost| &*lost.partition.0 == "cluster") {
        reached!("redis_failover.lost_a_renewal");
    }
    if lost.iter().any(|lost| lost.partition.0.starts_with('a') && lost.found == Version(0)) {
        reached!("redis_failover.lost_a_claim");
    }
}

/// Each account has what the replica had of it, and every deposit that was acknowledged since, once.
async fn audit(s: &Tale, deposits: &[Deposit], kept: &BTreeMap<u64, u64>, failed_at: Instant) {
    let client = s.stage.client("client-auditor").await;
    for (account, kept) in kept {
        let since = || deposits.iter().filter(|d| d.account == *account && d.ended >= failed_at);
        let done = since().filter(|d| d.is_done_since(failed_at)).count() as u64;
        let doubtful = since().filter(|d| d.fate != Fate::Not && !d.is_done_since(failed_at)).count() as u64;
        let (least, most) = (kept + done, kept + done + doubtful);
        match client.actor::<Account>(&format!("account-{account}")).balance().await {
            Ok(balance) => s.require("I2", (least..=most).contains(&balance), || {
                format!("account-{account} has {balance}, and should have {least} to {most}; the replica had {kept}")
            }),
            Err(error) => s.violated("I7", format!("account-{account} does not serve: {error}")),
        }
    }
}

/// What was reported was lost; and whoever was told of what is lost, and asks for it again, has reported it.
fn compare_reports(s: &Tale, lost: &[Lost], since: Instant) {
    let mut newest: BTreeMap<&str, (Version, Version)> = BTreeMap::new();
    let mut told: BTreeSet<(String, &str)> = BTreeSet::new();
    for lost in lost {
        newest.insert(&lost.partition.0, (lost.found, lost.version));
        told.extend(lost.told.iter().map(|name| (name.clone(), &*lost.partition.0)));
    }
    let Some(recorder) = s.recorder() else { return };
    let history = recorder.history();
    let (mut reported, mut asked) = (BTreeSet::new(), BTreeSet::new());
    for (_, at, record) in history.silo_records() {
        let name = record.silo.name.as_str().to_owned();
        match &record.event {
            SiloEvent::StoreWentBack { partition, seen, found } => {
                let true_loss =
                    newest.get(&**partition).is_some_and(|(kept, last)| found >= kept && seen <= last);
                s.require("P13", true_loss, || {
                    format!(
                        "{} reported that {partition} went from {seen} to {found}: {newest:?}",
                        record.silo
                    )
                });
                reported.insert((name, partition.to_string()));
            }
            SiloEvent::Activated { actor, .. }
            | SiloEvent::Committed { actor, .. }
            | SiloEvent::Fenced { actor, .. }
                if at > since =>
            {
                asked.insert((name, format!("a0.7/account/{}", actor.key())));
            }
            _ => {}
        }
    }
    for (name, partition) in told {
        let who = (name, partition.to_owned());
        let is_silent = asked.contains(&who) && !reported.contains(&who);
        s.require("P13", !is_silent, || format!("{} has not reported what was lost of {partition}", who.0));
    }
    s.require("P13", !reported.is_empty(), || "nobody has noticed anything".into());
}

/// One deposit of one coin.
#[derive(Clone, Copy, Debug)]
struct Deposit {
    account: u64,
    began: Instant,
    ended: Instant,
    fate: Fate,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    Done,
    Not,
    Unknown,
}

impl Deposit {
    /// Whether it was begun after that, and acknowledged. One begun before may have been committed before, and lost.
    fn is_done_since(&self, at: Instant) -> bool {
        self.fate == Fate::Done && self.began >= at
    }
}

/// Clients that deposit one coin after another.
struct Load {
    shared: Arc<Shared>,
    ended: Vec<oneshot::Receiver<()>>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    /// Whether all accounts are in use, or the first half only.
    all: AtomicBool,
    deposits: Mutex<Vec<Deposit>>,
}

impl Load {
    async fn start(s: &Tale) -> Self {
        let shared = Arc::new(Shared::default());
        let mut ended = Vec::new();
        for number in 0..CLIENTS {
            let client = s.stage.client(&format!("client-{number}")).await;
            let (story, shared) = (s.clone(), shared.clone());
            let (tell, told) = oneshot::channel();
            ended.push(told);
            s.stage.spawn(Box::pin(async move {
                deposit(&story, &client, number, &shared).await;
                let _ = tell.send(());
            }));
        }
        Self { shared, ended }
    }

    fn open_all(&self) {
        self.shared.all.store(true, Ordering::Relaxed);
    }

    fn all_served_since(&self, since: Instant) -> bool {
        let deposits = self.shared.deposits.lock();
        let new = deposits.iter().filter(|d| d.fate == Fate::Done && d.began >= since);
        new.map(|d| d.account).collect::<BTreeSet<_>>().len() as u64 == ACCOUNTS
    }

    async fn stop(self) -> Vec<Deposit> {
        self.shared.stop.store(true, Ordering::Relaxed);
        for ended in self.ended {
            let _ = ended.await;
        }
        std::mem::take(&mut self.shared.deposits.lock())
    }
}

async fn deposit(s: &Tale, client: &Client, number: u64, shared: &Shared) {
    for turn in 0.. {
        if shared.stop.load(Ordering::Relaxed) {
            return;
        }
        let accounts = if shared.all.load(Ordering::Relaxed) { ACCOUNTS } else { ACCOUNTS / 2 };
        let account = s.draw(&format!("account-of-{number}"), turn, accounts);
        let began = s.stage.now();
        let answer =
            client.actor::<Account>(&format!("account-{account}")).deposit(1).deadline(DEADLINE).await;
        let deposit = Deposit { account, began, ended: s.stage.now(), fate: fate(&answer) };
        shared.deposits.lock().push(deposit);
        s.stage
            .sleep(
                Duration::from_millis(10)
                    + s.draw_time("pause", number << 32 | turn, Duration::from_millis(30)),
            )
            .await;
    }
}

fn fate(answer: &Result<u64, CallError>) -> Fate {
    match answer {
        Ok(_) => Fate::Done,
        Err(error) => match error.failure().map_or(Happened::No, Failure::happened) {
            Happened::No => Fate::Not,
            Happened::Unknown => Fate::Unknown,
        },
    }
}
