//! Purses that give coins to one another by letter, and the audit of what became of them.

use crate::insisters::within;
use crate::purse::{self, Purse};
use futures_util::future::join_all;
use quark::Client;
use quark_core::ActorId;
use quark_testkit::history::WorldEvent;
use quark_testkit::story::Tale;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;

const PURSES: u64 = 6;
const GIVERS: u64 = 4;
/// What all coins together are called in the history.
const FUND: &str = "coins";
const DEADLINE: Duration = Duration::from_secs(2);
/// How often an auditor looks whether all letters have been taken.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// Clients at work.
pub struct Givers {
    stop: Arc<AtomicBool>,
    ended: Vec<oneshot::Receiver<()>>,
}

impl Givers {
    /// Starts them.
    pub async fn start(s: &Tale) -> Self {
        Self::start_few(s, GIVERS, 1).await
    }

    /// Starts so many, who pause `pace` times as long between two gifts.
    pub async fn start_few(s: &Tale, givers: u64, pace: u32) -> Self {
        record(s, WorldEvent::Endowed { fund: FUND.into(), total: purse::COINS * PURSES });
        let stop = Arc::new(AtomicBool::new(false));
        let mut ended = Vec::new();
        for number in 0..givers {
            let client = s.stage.client(&format!("client-giver-{number}")).await;
            let (story, stop) = (s.clone(), stop.clone());
            let (tell, told) = oneshot::channel();
            s.stage.spawn(Box::pin(async move {
                give(&story, &client, (number, pace), &stop).await;
                let _ = tell.send(());
            }));
            ended.push(told);
        }
        Self { stop, ended }
    }

    /// Stops them. Letters that were committed go on.
    pub async fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        join_all(self.ended).await;
    }
}

fn purse(number: u64) -> String {
    format!("purse-{number}")
}

/// Gives until told to stop. What becomes of a call does not matter: what was committed is in the purses.
async fn give(s: &Tale, client: &Client, (number, pace): (u64, u32), stop: &AtomicBool) {
    for turn in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let from = s.draw(&format!("from-{number}"), turn, PURSES);
        let to = (from + 1 + s.draw(&format!("to-{number}"), turn, PURSES - 1)) % PURSES;
        let coins = 1 + s.draw(&format!("coins-{number}"), turn, 5);
        if s.does(&format!("giver-{number}"), turn) {
            let call = client.actor::<Purse>(&purse(from)).give(coins, purse(to));
            let _ = call.deadline(DEADLINE).await;
        }
        let pause = Duration::from_millis(40) + s.draw_time("pause", turn, Duration::from_millis(80));
        s.stage.sleep(pause * pace).await;
    }
}

fn record(s: &Tale, event: WorldEvent) {
    if let Some(recorder) = s.recorder() {
        recorder.world(event);
    }
}

/// Every letter has been taken once, in its order, and no coin is gone or new.
pub async fn audit(s: &Tale) {
    audit_within(s, Duration::ZERO, None).await;
}

/// The same as soon as it is so, or when so much time has passed: the last letters may still be under way. The auditor's
/// calls wait for so long, if not as usual.
pub async fn audit_within(s: &Tale, limit: Duration, patience: Option<Duration>) {
    let client = s.stage.client("client-givers-auditor").await;
    let until = s.stage.now() + limit;
    while s.stage.now() < until {
        if look(&client, patience).await.is_ok_and(|purses| Purse::faults_among(&purses).is_empty()) {
            break;
        }
        s.stage.sleep(LOOK_AGAIN).await;
    }
    let purses = match look(&client, patience).await {
        Ok(purses) => purses,
        Err(reason) => return s.violated("I7", reason),
    };
    let actor = |key: &String| ActorId::new("purse", key.as_str()).expect("a short key");
    let parts = purses.iter().map(|(key, purse)| (actor(key), purse.coins())).collect();
    record(s, WorldEvent::Counted { fund: FUND.into(), parts, settled: true });
    for fault in Purse::faults_among(&purses) {
        s.violated("I3", fault);
    }
}

/// What is in every purse, or which of them does not serve.
async fn look(client: &Client, patience: Option<Duration>) -> Result<BTreeMap<String, Purse>, String> {
    let mut purses = BTreeMap::new();
    for number in 0..PURSES {
        let found = within(client.actor::<Purse>(&purse(number)).look(), patience).await;
        let found = found.map_err(|error| format!("{} does not serve: {error}", purse(number)))?;
        purses.insert(purse(number), found);
    }
    Ok(purses)
}
