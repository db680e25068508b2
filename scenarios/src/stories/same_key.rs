//! Exactly-once calls: whatever becomes of a call with an idempotency key, its effect happens once (promise P5).

use crate::bank::Account;
use futures_util::future::join_all;
use quark::{CallError, Client, Failure};
use quark_sim::{Conditions, Config};
use quark_testkit::story::{Scenario, Story};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;

/// See its premise.
pub const SCENARIO: Scenario = Scenario {
    name: "same-key",
    premise: "Deposits carry idempotency keys, and are repeated until they are acknowledged, through lost answers of the \
              store, lost messages, crashes of silos and moves of their accounts. Every account ends with the sum of \
              its deposits, to the last coin, and a repetition is told what the first was.",
    sometimes: &[
        "turns.taken_before",
        "attempts.again_under_a_key",
        "durable.doubt_resolved",
        "story.same_key.moved",
        "checked:exactly-once",
    ],
    world: Config::new,
    describe: |silo| silo.actor::<Account>(),
    tell: |story| Box::pin(tell(story)),
    anywhere: None,
    heavy: false,
};

const ACCOUNTS: u64 = 6;
const CLIENTS: u64 = 4;
/// One attempt's patience. Short, so that many end in doubt and are repeated by the client, too.
const DEADLINE: Duration = Duration::from_millis(900);
/// How long a client goes on repeating after everything is healed.
const PATIENCE: Duration = Duration::from_secs(60);

/// What all clients have put in, by account.
#[derive(Default)]
struct Ledger {
    stop: AtomicBool,
    sums: [AtomicU64; ACCOUNTS as usize],
}

async fn tell(s: Story) {
    s.given("three silos, and clients that repeat a deposit under its key until it is acknowledged");
    s.cluster.start_all(&["a", "b", "c"]).await;
    let ledger = Arc::new(Ledger::default());
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        let client = s.stage.client(&format!("client-{number}")).await;
        let (story, ledger) = (s.clone(), ledger.clone());
        let (done, ended) = oneshot::channel();
        s.world.driver("depositor", async move {
            let _ = done.send(deposit(&story, &client, number, &ledger).await);
        });
        clients.push(ended);
    }
    s.stage.sleep(Duration::from_secs(1)).await;

    s.when("the store loses answers, and the network messages");
    s.world.set_store_indeterminate(s.draw("lost answers", 0, 4) as u32 * 100_000, 500_000);
    let loss_ppm = s.draw("lost messages", 0, 4) as u32 * 20_000;
    s.world.set_default_conditions(Conditions { loss_ppm, ..Conditions::CLEAR });
    for turn in 0..2 {
        s.stage.sleep(s.draw_time("crash", turn, Duration::from_secs(3))).await;
        let name = ["a", "b", "c"][s.draw("who", turn, 3) as usize];
        if s.stage.is_up(name) && s.draw("crashes", turn, 3) > 0 {
            s.when(format!("{name} loses power, and comes back"));
            s.stage.crash(name);
            s.stage.sleep(Duration::from_secs(1) + s.draw_time("back", turn, Duration::from_secs(4))).await;
            if s.stage.start(name).await.is_ok() {
                quark_core::reached!("story.same_key.moved");
            }
        }
    }

    s.when("all is healed");
    s.world.heal_store();
    s.world.set_default_conditions(Conditions::CLEAR);
    for name in ["a", "b", "c"] {
        if !s.stage.is_up(name) {
            let _ = s.stage.start(name).await;
        }
    }
    ledger.stop.store(true, Ordering::Relaxed);
    let told: Vec<_> = join_all(clients).await.into_iter().flatten().flatten().collect();
    s.finally("every account has the sum of its deposits, and a repetition is told what the first was");
    let client = s.stage.client("client-auditor").await;
    audit(&s, &client, &ledger).await;
    repeat(&s, &client, &told).await;
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
async fn deposit(s: &Story, client: &Client, number: u64, ledger: &Ledger) -> Vec<Told> {
    let mut last = BTreeMap::new();
    for turn in 0.. {
        if ledger.stop.load(Ordering::Relaxed) {
            break;
        }
        let account = s.draw(&format!("account-of-{number}"), turn, ACCOUNTS);
        let amount = 1 + s.draw(&format!("amount-of-{number}"), turn, 9);
        let key = u128::from(number) << 64 | u128::from(turn + 1);
        match insist(s, client, account, amount, key).await {
            Some(answer) => {
                ledger.sums[account as usize].fetch_add(amount, Ordering::Relaxed);
                last.insert(account, Told { account, key, amount, answer });
            }
            None => break,
        }
        s.stage
            .sleep(Duration::from_millis(60) + s.draw_time("pause", turn, Duration::from_millis(80)))
            .await;
    }
    last.into_values().collect()
}

/// Repeats one deposit until it is acknowledged.
async fn insist(s: &Story, client: &Client, account: u64, amount: u64, key: u128) -> Option<u64> {
    let reference = client.actor::<Account>(&format!("account-{account}"));
    let until = s.stage.now() + PATIENCE;
    loop {
        match reference.deposit(amount).idempotency_key(key).deadline(DEADLINE).await {
            Ok(answer) => return Some(answer),
            Err(error) if s.stage.now() >= until => {
                s.violated("I7", format!("a deposit to account-{account} is not taken: {error}"));
                return None;
            }
            Err(_) => s.stage.sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn audit(s: &Story, client: &Client, ledger: &Ledger) {
    for account in 0..ACCOUNTS {
        let reference = client.actor::<Account>(&format!("account-{account}"));
        let sum = ledger.sums[account as usize].load(Ordering::Relaxed);
        match reference.balance().await {
            Ok(balance) => s.require("I3", balance == sum, || {
                format!("account-{account} has {balance}, its deposits make {sum}")
            }),
            Err(error) => s.violated("I7", format!("account-{account} does not serve: {error}")),
        }
    }
}

/// What was acknowledged last is asked for once more, and again for another amount.
async fn repeat(s: &Story, client: &Client, told: &[Told]) {
    for told in told {
        let reference = client.actor::<Account>(&format!("account-{}", told.account));
        let again = reference.deposit(told.amount).idempotency_key(told.key).await;
        s.require("I3", again == Ok(told.answer), || {
            format!("key {:x} was told {}, and when repeated {again:?}", told.key, told.answer)
        });
        let other = reference.deposit(told.amount + 1).idempotency_key(told.key).await;
        let refused = matches!(other, Err(CallError::Failed(Failure::Rejected { .. })));
        s.require("I3", refused, || format!("key {:x} served for another deposit: {other:?}", told.key));
    }
}
