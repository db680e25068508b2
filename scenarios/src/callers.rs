//! Callers who measure how long others' work keeps them waiting.

use crate::bank::Account;
use quark::Client;
use quark_testkit::story::Tale;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;

/// Clients whose calls have nothing to do with reminders.
pub struct Callers {
    stop: Arc<AtomicBool>,
    ended: Vec<oneshot::Receiver<Vec<Duration>>>,
}

/// How long one of their calls may take.
const DEADLINE: Duration = Duration::from_secs(5);
const CALLERS: u64 = 3;
const ACCOUNTS: u64 = 4;

impl Callers {
    /// Starts them, each with accounts of its own, which have answered once before anything is measured.
    pub async fn start(s: &Tale, round: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut ended = Vec::new();
        for number in 0..CALLERS {
            let client = s.stage.client(&format!("client-{round}-{number}")).await;
            let (tell, told) = oneshot::channel();
            ended.push(told);
            let (story, stop) = (s.clone(), stop.clone());
            s.stage.spawn(Box::pin(async move {
                let _ = tell.send(call(&story, &client, number, &stop).await);
            }));
        }
        Self { stop, ended }
    }

    /// How long each call took.
    pub async fn stop(self) -> Vec<Duration> {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Vec::new();
        for ended in self.ended {
            all.extend(ended.await.unwrap_or_default());
        }
        all.sort_unstable();
        all
    }
}

async fn call(s: &Tale, client: &Client, number: u64, stop: &AtomicBool) -> Vec<Duration> {
    let mut took = Vec::new();
    let accounts: Vec<_> =
        (0..ACCOUNTS).map(|n| client.actor::<Account>(&format!("account-{number}-{n}"))).collect();
    for account in &accounts {
        let answer = account.deposit(1).deadline(DEADLINE * 2).await;
        s.require("I5", answer.is_ok(), || format!("an account does not serve: {answer:?}"));
    }
    for turn in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let began = s.stage.now();
        let answer = accounts[turn % accounts.len()].deposit(1).deadline(DEADLINE).await;
        s.require("I5", answer.is_ok(), || format!("a deposit failed: {answer:?}"));
        took.push(s.stage.now().since(began));
        s.stage.sleep(Duration::from_millis(25)).await;
    }
    took
}

/// The slowest hundredth takes at most twice as long as in calm.
pub fn compare(s: &Tale, what: &str, busy: &[Duration], calm: &[Duration]) {
    let enough = busy.len() >= 100 && calm.len() >= 100;
    s.require("I10", enough, || format!("only {} and {} calls were measured", busy.len(), calm.len()));
    if enough {
        let p99 = |all: &[Duration]| all[all.len() * 99 / 100];
        let (busy, calm) = (p99(busy), p99(calm));
        s.require("I6", busy <= calm * 2, || format!("{what} takes {busy:?} (p99), in calm {calm:?}"));
        s.then(format!("{what} took {busy:?} (p99), in calm {calm:?}"));
    }
}
