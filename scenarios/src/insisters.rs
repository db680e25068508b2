//! Clients that repeat a deposit under its key until it is acknowledged, and the audit of what became of it.

use crate::bank::Account;
use futures_util::future::join_all;
use quark::{Call, CallError, Client, Failure};
use quark_testkit::story::Tale;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;

const ACCOUNTS: u64 = 6;
const CLIENTS: u64 = 4;
/// One attempt's patience. Short, so that many end in doubt and are repeated by the client, too.
const DEADLINE: Duration = Duration::from_millis(900);
/// How long a client goes on repeating.
const PATIENCE: Duration = Duration::from_secs(60);

/// Clients at work.
pub struct Insisters {
    ledger: Arc<Ledger>,
    ended: Vec<oneshot::Receiver<Vec<Told>>>,
}

/// What all of them have put in, by account.
#[derive(Default)]
struct Ledger {
    stop: AtomicBool,
    sums: [AtomicU64; ACCOUNTS as usize],
}

impl Insisters {
    /// Starts them, with accounts of their own.
    pub async fn start(s: &Tale) -> Self {
        Self::start_few(s, CLIENTS, 1).await
    }

    /// Starts so many, who pause `pace` times as long between two deposits.
    pub async fn start_few(s: &Tale, clients: u64, pace: u32) -> Self {
        let ledger = Arc::new(Ledger::default());
        let mut ended = Vec::new();
        for number in 0..clients {
            let client = s.stage.client(&format!("client-insister-{number}")).await;
            let (story, ledger) = (s.clone(), ledger.clone());
            let (tell, told) = oneshot::channel();
            s.stage.spawn(Box::pin(async move {
                let _ = tell.send(deposit(&story, &client, (number, pace), &ledger).await);
            }));
            ended.push(told);
        }
        Self { ledger, ended }
    }

    /// Stops them, each once its last deposit is acknowledged. Then every account has to have the sum of its deposits, and a
    /// repetition has to be told what the first was.
    pub async fn stop_and_check(self, s: &Tale) {
        self.stop_and_check_within(s, None).await;
    }

    /// The same with an auditor whose calls wait for so long, if not as usual.
    pub async fn stop_and_check_within(self, s: &Tale, patience: Option<Duration>) {
        self.ledger.stop.store(true, Ordering::Relaxed);
        let told: Vec<_> = join_all(self.ended).await.into_iter().flatten().flatten().collect();
        let client = s.stage.client("client-insisters-auditor").await;
        audit(s, &client, &self.ledger, patience).await;
        repeat(s, &client, &told, patience).await;
    }
}

/// A deposit that was acknowledged.
#[derive(Clone, Copy)]
struct Told {
    account: u64,
    key: u128,
    amount: u64,
    answer: u64,
}

/// Deposits until told to stop; the last acknowledged deposit to each account.
async fn deposit(s: &Tale, client: &Client, (number, pace): (u64, u32), ledger: &Ledger) -> Vec<Told> {
    let mut last = BTreeMap::new();
    for turn in 0.. {
        if ledger.stop.load(Ordering::Relaxed) {
            break;
        }
        let account = s.draw(&format!("account-of-{number}"), turn, ACCOUNTS);
        let amount = 1 + s.draw(&format!("amount-of-{number}"), turn, 9);
        let key = u128::from(number) << 64 | u128::from(turn + 1);
        if s.does(&format!("insister-{number}"), turn) {
            let Some(answer) = insist(s, client, account, amount, key).await else { break };
            ledger.sums[account as usize].fetch_add(amount, Ordering::Relaxed);
            last.insert(account, Told { account, key, amount, answer });
        }
        let pause = Duration::from_millis(60) + s.draw_time("pause", turn, Duration::from_millis(80));
        s.stage.sleep(pause * pace).await;
    }
    last.into_values().collect()
}

/// Repeats one deposit until it is acknowledged.
async fn insist(s: &Tale, client: &Client, account: u64, amount: u64, key: u128) -> Option<u64> {
    let reference = client.actor::<Account>(&format!("insisted-{account}"));
    let until = s.stage.now() + PATIENCE;
    loop {
        match reference.deposit(amount).idempotency_key(key).deadline(DEADLINE).await {
            Ok(answer) => return Some(answer),
            Err(error) if s.stage.now() >= until => {
                s.violated("I7", format!("a deposit to insisted-{account} is not taken: {error}"));
                return None;
            }
            Err(_) => s.stage.sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn audit(s: &Tale, client: &Client, ledger: &Ledger, patience: Option<Duration>) {
    for account in 0..ACCOUNTS {
        let reference = client.actor::<Account>(&format!("insisted-{account}"));
        let sum = ledger.sums[account as usize].load(Ordering::Relaxed);
        match within(reference.balance(), patience).await {
            Ok(balance) => s.require("I3", balance == sum, || {
                format!("insisted-{account} has {balance}, its deposits make {sum}")
            }),
            Err(error) => s.violated("I7", format!("insisted-{account} does not serve: {error}")),
        }
    }
}

/// What was acknowledged last is asked for once more, and again for another amount.
async fn repeat(s: &Tale, client: &Client, told: &[Told], patience: Option<Duration>) {
    for told in told {
        let reference = client.actor::<Account>(&format!("insisted-{}", told.account));
        let again = within(reference.deposit(told.amount).idempotency_key(told.key), patience).await;
        s.require("I3", again == Ok(told.answer), || {
            format!("key {:x} was told {}, and when repeated {again:?}", told.key, told.answer)
        });
        let other = within(reference.deposit(told.amount + 1).idempotency_key(told.key), patience).await;
        let refused = matches!(other, Err(CallError::Failed(Failure::Rejected { .. })));
        s.require("I3", refused, || format!("key {:x} served for another deposit: {other:?}", told.key));
    }
}

/// A call that waits for so long, if not as usual.
pub(crate) fn within<R, E>(call: Call<R, E>, patience: Option<Duration>) -> Call<R, E> {
    match patience {
        Some(patience) => call.deadline(patience),
        None => call,
    }
}
