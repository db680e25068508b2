//! The steady load on the sample bank, and the proof that it loses nothing.

use super::ledger::{Ledger, Verdict};
use crate::bank::{Account, AccountRef, Balance};
use hdrhistogram::Histogram;
use parking_lot::Mutex;
use quark::{CallError, Client, Happened};
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Calls a hundred accounts at a steady rate, one call at a time for each.
pub struct Load {
    accounts: Vec<Mutex<Seat>>,
    seen: Mutex<Seen>,
    deadline: Duration,
}

struct Seat {
    account: AccountRef,
    ledger: Ledger,
}

/// What the load has seen.
struct Seen {
    calls: u64,
    lost: u64,
    surplus: u64,
    /// By name.
    errors: BTreeMap<&'static str, u64>,
    all: Histogram<u64>,
    window: Histogram<u64>,
    window_since: Instant,
    last: Window,
}

/// The numbers of the last whole second, and of the whole run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Window {
    /// Calls that ended, per second.
    pub calls_per_second: f64,
    /// The median time of a call in the window, in microseconds.
    pub p50_us: u64,
    /// The time that 99 in 100 calls of the window kept, in microseconds.
    pub p99_us: u64,
}

/// What is shown of the load.
#[derive(Clone, Debug)]
pub struct LoadView {
    /// The last window.
    pub window: Window,
    /// Calls that ended.
    pub calls: u64,
    /// Calls that ended in an error, by name.
    pub errors: BTreeMap<&'static str, u64>,
    /// Units that were acknowledged and are not there.
    pub lost: u64,
    /// Units that are there and were never deposited.
    pub surplus: u64,
}

impl LoadView {
    /// How many calls ended in an error.
    pub fn errors_total(&self) -> u64 {
        self.errors.values().sum()
    }

    /// As JSON.
    pub fn to_json(&self) -> Value {
        json!({
            "calls_per_second": self.window.calls_per_second.round(),
            "p50_us": self.window.p50_us,
            "p99_us": self.window.p99_us,
            "calls": self.calls,
            "errors": self.errors,
            "lost": self.lost,
            "surplus": self.surplus,
        })
    }
}

impl Load {
    /// A load that has not begun.
    pub fn new(client: &Client) -> Self {
        let seat = |number| {
            let account = client.actor::<Account>(&format!("load-{number:03}"));
            Mutex::new(Seat { account, ledger: Ledger::default() })
        };
        // Bounds, because `saturating_record` cuts off at the present size of a histogram that could grow.
        let histogram = || Histogram::new_with_bounds(1, TOOK_US_MAX, 3).expect("bounds that there are");
        Self {
            accounts: (0..ACCOUNTS).map(seat).collect(),
            seen: Mutex::new(Seen {
                calls: 0,
                lost: 0,
                surplus: 0,
                errors: BTreeMap::new(),
                all: histogram(),
                window: histogram(),
                window_since: Instant::now(),
                last: Window::default(),
            }),
            deadline: CALL_DEADLINE,
        }
    }

    /// Calls `rate` times a second until told to stop; then waits for what is in flight.
    pub async fn run(self: Arc<Self>, rate: u32, mut stop: watch::Receiver<bool>) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut flying = JoinSet::new();
        let mut idle: VecDeque<usize> = (0..ACCOUNTS).collect();
        let (mut due, mut last) = (0.0, Instant::now());
        while rate > 0 && !*stop.borrow() {
            tokio::select! {
                _ = ticks.tick() => {}
                _ = stop.changed() => {}
                Some(seat) = flying.join_next(), if !flying.is_empty() => {
                    idle.extend(seat.ok());
                    continue;
                }
            }
            let now = Instant::now();
            // A load that fell behind does not catch up: that would measure a burst of its own making.
            due = (due + now.duration_since(last).as_secs_f64() * f64::from(rate)).min(BURST_MAX);
            last = now;
            while due >= 1.0 {
                due -= 1.0;
                let Some(seat) = idle.pop_front() else { continue };
                let load = self.clone();
                flying.spawn(async move {
                    load.call(seat).await;
                    seat
                });
            }
        }
        while flying.join_next().await.is_some() {}
    }

    /// Reads every account once more. What is lost shows up in [`Load::view`].
    pub async fn audit(self: Arc<Self>) {
        let mut readings = JoinSet::new();
        for (number, seat) in self.accounts.iter().enumerate() {
            if seat.lock().ledger.is_opened() {
                let load = self.clone();
                readings.spawn(async move { load.read(number).await });
            }
        }
        while readings.join_next().await.is_some() {}
    }

    /// What to show now. Closes the window if it has lasted for a second.
    pub fn view(&self) -> LoadView {
        let mut seen = self.seen.lock();
        let seconds = seen.window_since.elapsed().as_secs_f64();
        if seconds >= 0.95 {
            seen.last = Window {
                calls_per_second: seen.window.len() as f64 / seconds,
                p50_us: seen.window.value_at_quantile(0.5),
                p99_us: seen.window.value_at_quantile(0.99),
            };
            seen.window.reset();
            seen.window_since = Instant::now();
        }
        LoadView {
            window: seen.last,
            calls: seen.calls,
            errors: seen.errors.clone(),
            lost: seen.lost,
            surplus: seen.surplus,
        }
    }

    /// The times of the whole run in microseconds: half of the calls, and 99 of 100, took no longer.
    pub fn quantiles_us(&self) -> (u64, u64) {
        let seen = self.seen.lock();
        (seen.all.value_at_quantile(0.5), seen.all.value_at_quantile(0.99))
    }

    async fn call(&self, number: usize) {
        let (is_opened, account) = {
            let seat = self.accounts[number].lock();
            (seat.ledger.is_opened(), seat.account.clone())
        };
        let calls = self.seen.lock().calls;
        if !is_opened || calls.is_multiple_of(READ_EVERY) {
            return self.read(number).await;
        }
        let amount = 1 + calls % AMOUNT_MAX;
        let start = Instant::now();
        let outcome = account.deposit(amount).deadline(self.deadline).await;
        self.ended(start, &outcome);
        let verdict = match outcome {
            Ok(Balance { balance }) => self.accounts[number].lock().ledger.acknowledged(amount, balance),
            Err(CallError::Failed(failure)) if failure.happened() == Happened::Unknown => {
                self.accounts[number].lock().ledger.doubted(amount);
                return;
            }
            Err(_) => return,
        };
        self.judge(number, verdict);
    }

    async fn read(&self, number: usize) {
        let account = self.accounts[number].lock().account.clone();
        let start = Instant::now();
        let outcome = account.balance().deadline(self.deadline).await;
        self.ended(start, &outcome);
        if let Ok(Balance { balance }) = outcome {
            let verdict = self.accounts[number].lock().ledger.found(balance);
            self.judge(number, verdict);
        }
    }

    fn ended<T, E>(&self, start: Instant, outcome: &Result<T, CallError<E>>) {
        let took_us = start.elapsed().as_micros() as u64;
        let mut seen = self.seen.lock();
        seen.calls += 1;
        seen.all.saturating_record(took_us);
        seen.window.saturating_record(took_us);
        match outcome {
            Ok(_) => {}
            Err(CallError::App(_)) => *seen.errors.entry("refused").or_default() += 1,
            Err(CallError::Failed(failure)) => {
                tracing::info!(%failure, "a call of the load failed");
                *seen.errors.entry(failure.name()).or_default() += 1;
            }
        }
    }

    fn judge(&self, number: usize, verdict: Verdict) {
        let mut seen = self.seen.lock();
        match verdict {
            Verdict::Sound => {}
            Verdict::Lost(units) => {
                tracing::error!(account = number, units, "acknowledged deposits are lost");
                seen.lost += units;
            }
            Verdict::Surplus(units) => {
                tracing::error!(account = number, units, "deposits took effect twice");
                seen.surplus += units;
            }
        }
    }
}

const ACCOUNTS: usize = 100;
const TICK: Duration = Duration::from_millis(5);
const BURST_MAX: f64 = 100.0;
/// One call in so many reads instead of depositing.
const READ_EVERY: u64 = 5;
const AMOUNT_MAX: u64 = 9;
/// Beyond any deadline.
const TOOK_US_MAX: u64 = 60_000_000;
const CALL_DEADLINE: Duration = Duration::from_secs(10);
