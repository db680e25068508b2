//! Steady deposits from clients outside of the cluster, and the check that none that was acknowledged is lost.

use crate::bank::Account;
use parking_lot::Mutex;
use quark::{CallError, Client, Failure, Happened};
use quark_core::Instant;
use quark_testkit::history::{ClientEvent, Op};
use quark_testkit::patron::outcome_of;
use quark_testkit::story::Tale;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;

/// What is known of one account.
#[derive(Clone, Copy, Default, Debug)]
struct Known {
    /// The sum of acknowledged deposits.
    acknowledged: u64,
    /// The sum of deposits of which nobody knows.
    unknown: u64,
    /// The highest balance that was ever answered.
    seen: u64,
}

/// A running workload. Drop does not stop it.
pub struct Deposits {
    state: Arc<State>,
    ended: Vec<oneshot::Receiver<()>>,
    checker: Client,
    accounts: u64,
    deadline: Duration,
}

#[derive(Default)]
struct State {
    stop: AtomicBool,
    known: Mutex<BTreeMap<u64, Known>>,
    acknowledged: AtomicU64,
    failed: AtomicU64,
    /// When the last deposit ended of which nobody knows: it may still run.
    doubted: Mutex<Option<Instant>>,
    /// The last failure, for people.
    last_failure: Mutex<Option<String>>,
}

/// How long a deposit may take before its client gives up.
const DEADLINE: Duration = Duration::from_secs(5);

impl Deposits {
    /// Starts `clients` clients, each of which deposits to one account after another, as fast as it is answered and a
    /// little slower.
    pub async fn start(story: &Tale, clients: u64, accounts: u64) -> Self {
        Self::start_with(story, clients, accounts, DEADLINE).await
    }

    /// The same with clients who give up after that time.
    pub async fn start_with(story: &Tale, clients: u64, accounts: u64, deadline: Duration) -> Self {
        Self::start_paced(story, clients, (accounts, deadline), 1).await
    }

    /// The same with clients who pause `pace` times as long between two deposits.
    pub async fn start_paced(
        story: &Tale,
        clients: u64,
        (accounts, deadline): (u64, Duration),
        pace: u32,
    ) -> Self {
        let state = Arc::new(State::default());
        let mut ended = Vec::new();
        for number in 0..clients {
            let client = story.stage.client(&format!("client-{number}")).await;
            let (tell, told) = oneshot::channel();
            ended.push(told);
            let (part, state) = (story.clone(), state.clone());
            story.stage.spawn(Box::pin(async move {
                let (who, what) = ((number, pace), (accounts, deadline));
                deposit_until_stopped(&part, &client, who, what, &state).await;
                let _ = tell.send(());
            }));
        }
        let checker = story.stage.client("client-checker").await;
        Self { state, ended, checker, accounts, deadline }
    }

    /// How many deposits were acknowledged so far.
    pub fn acknowledged(&self) -> u64 {
        self.state.acknowledged.load(Ordering::Relaxed)
    }

    /// How many failed or ended unknown.
    pub fn failed(&self) -> u64 {
        self.state.failed.load(Ordering::Relaxed)
    }

    /// What the last failure said.
    pub fn last_failure(&self) -> Option<String> {
        self.state.last_failure.lock().clone()
    }

    /// Stops, then reads every account: each must answer, with no less than was acknowledged and no more than was
    /// tried. Returns how many deposits were acknowledged.
    pub async fn stop_and_check(self, story: &Tale) -> u64 {
        self.state.stop.store(true, Ordering::Relaxed);
        for ended in self.ended {
            let _ = ended.await;
        }
        // Who is still in doubt when it stops may yet run: wait until its deadline is past everywhere.
        let mut wait = self.deadline * 2;
        if story.stage.takes_real_time() {
            let doubted = *self.state.doubted.lock();
            wait = doubted.map_or(Duration::ZERO, |at| (at + wait).since(story.stage.now()));
        }
        story.stage.sleep(wait).await;
        for account in 0..self.accounts {
            let known = self.state.known.lock().get(&account).copied().unwrap_or_default();
            let reference = self.checker.actor::<Account>(&format!("account-{account}"));
            let until = story.stage.now() + Duration::from_secs(60);
            let balance = loop {
                match reference.balance().deadline(self.deadline).await {
                    Ok(balance) => break Some(balance),
                    Err(_) if story.stage.now() < until => {
                        story.stage.sleep(Duration::from_millis(500)).await;
                    }
                    Err(error) => {
                        story.violated("I7", format!("account-{account} does not serve: {error}"));
                        break None;
                    }
                }
            };
            if let Some(balance) = balance {
                let (least, most) = (known.acknowledged, known.acknowledged + known.unknown);
                story.require("I2", (least..=most).contains(&balance), || {
                    format!("account-{account} has {balance}; acknowledged {least}, tried {most}")
                });
            }
        }
        self.state.acknowledged.load(Ordering::Relaxed)
    }
}

async fn deposit_until_stopped(
    story: &Tale,
    client: &Client,
    (number, pace): (u64, u32),
    (accounts, deadline): (u64, Duration),
    state: &State,
) {
    let mut turn = 0;
    while !state.stop.load(Ordering::Relaxed) {
        turn += 1;
        let account = story.draw(&format!("account-of-{number}"), turn, accounts);
        let amount = 1 + story.draw(&format!("amount-of-{number}"), turn, 9);
        let pause = Duration::from_millis(20) + story.draw_time("pause", turn, Duration::from_millis(30));
        let pause = pause * pace;
        if !story.does(&format!("depositor-{number}"), turn) {
            story.stage.sleep(pause).await;
            continue;
        }
        let reference = client.actor::<Account>(&format!("account-{account}"));
        let before = state.known.lock().entry(account).or_default().seen;
        let op_id = number << 32 | turn;
        let actor = reference.id().clone();
        record(story, || ClientEvent::Invoked { client: number, op_id, actor, op: Op::Add(amount) });
        let answer = reference.deposit(amount).deadline(deadline).await;
        record(story, || ClientEvent::Returned { op_id, outcome: outcome_of(&answer) });
        note(story, state, account, amount, before, answer);
        story.stage.sleep(pause).await;
    }
}

fn note(story: &Tale, state: &State, account: u64, amount: u64, before: u64, answer: Result<u64, CallError>) {
    let mut known = state.known.lock();
    let known = known.entry(account).or_default();
    match answer {
        Ok(balance) => {
            known.acknowledged += amount;
            known.seen = known.seen.max(balance);
            state.acknowledged.fetch_add(1, Ordering::Relaxed);
            story.require("I2", balance > before, || {
                format!("account-{account} answered {balance} after it had answered {before}")
            });
        }
        Err(error) => {
            state.failed.fetch_add(1, Ordering::Relaxed);
            *state.last_failure.lock() = Some(format!("account-{account}: {error}"));
            if happened(&error) == Happened::Unknown {
                *state.doubted.lock() = Some(story.stage.now());
                known.unknown += amount;
            }
        }
    }
}

fn record(story: &Tale, event: impl FnOnce() -> ClientEvent) {
    if let Some(recorder) = story.recorder() {
        recorder.client(event());
    }
}

fn happened(error: &CallError) -> Happened {
    error.failure().map_or(Happened::No, Failure::happened)
}
