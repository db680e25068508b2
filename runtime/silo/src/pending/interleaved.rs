//! The table of pending calls between many threads: callers that give up and call again, answers that come late, the
//! clock, and the news that a silo is dead.
//!
//! `RUSTFLAGS="--cfg quark_shuttle" cargo test -p quark-rt --release --lib pending::interleaved -- --nocapture`

use super::{Pending, Polled, TICK_NS};
use crate::error::Failure;
use crate::message::Ended;
use bytes::Bytes;
use quark_core::wire::CallId;
use quark_core::{ActorId, Generation, Instant, SiloId, SiloName};
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::sync::{Arc, Mutex};
use shuttle::{Config, FailurePersistence, Runner, thread};
use std::task::Waker;

const CALLERS: u64 = 3;
const CALLS: u64 = 4;

struct Table {
    pending: Mutex<Pending>,
    silo: SiloId,
}

impl Table {
    fn new() -> Arc<Self> {
        let silo = SiloId::new(SiloName::new("a").expect("well formed"), Generation(1));
        Arc::new(Self { pending: Mutex::new(Pending::new(64)), silo })
    }

    fn with<R>(&self, what: impl FnOnce(&mut Pending) -> R) -> R {
        what(&mut self.pending.lock().expect("no panic while held"))
    }

    fn start(&self, number: u64, deadline: Instant) -> CallId {
        let actor = ActorId::new("account", &number.to_string()).expect("a short key");
        let call = self.with(|pending| pending.start(actor, deadline)).expect("there is room");
        self.with(|pending| pending.aim(call, self.silo, 0));
        call
    }

    /// One caller: each call is answered by a thread of its own, sooner or later, and given up after a few looks.
    fn call(self: &Arc<Self>, caller: u64) -> Vec<thread::JoinHandle<()>> {
        let mut answering = Vec::new();
        for number in (0..CALLS).map(|call| caller * CALLS + call) {
            let call = self.start(number, Instant(TICK_NS * (1 + number % 3)));
            let table = self.clone();
            answering.push(thread::spawn(move || {
                let answer = Ended::Ok(Bytes::copy_from_slice(&number.to_be_bytes()));
                table.with(|pending| pending.end(call, answer));
            }));
            let looked = (0..3).find_map(|_| {
                thread::yield_now();
                match self.with(|pending| pending.poll(call, Waker::noop())) {
                    Polled::Pending => None,
                    Polled::Ended(ended) => Some(ended),
                }
            });
            match looked {
                Some(Ended::Ok(bytes)) => {
                    assert_eq!(*bytes, number.to_be_bytes(), "a call gets its own answer, and no other's");
                }
                Some(_) => {} // its deadline, or the silo's death
                None => drop(self.with(|pending| pending.withdraw(call))),
            }
        }
        answering
    }

    fn end_all(&self, calls: Vec<CallId>) {
        for call in calls {
            let ended = Failure::Unreachable { reason: "a test says so".into() }.into();
            self.with(|pending| pending.end(call, ended));
        }
    }
}

fn run() {
    let table = Table::new();
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let table = table.clone();
            thread::spawn(move || table.call(caller))
        })
        .collect();
    for tick in 1..4 {
        table.end_all(table.with(|pending| pending.expired(Instant(TICK_NS * tick))));
    }
    table.end_all(table.with(|pending| pending.aimed_at(|silo| silo == table.silo)));
    let answering: Vec<_> = callers.into_iter().flat_map(|c| c.join().expect("it ends")).collect();
    answering.into_iter().for_each(|answer| answer.join().expect("it ends"));
    table.with(|pending| {
        assert_eq!((pending.open(), pending.next_deadline()), (0, None), "nothing is left of any call");
    });
}

fn explore(scheduler: impl Scheduler + 'static, run: impl Fn() + Send + Sync + 'static) {
    let mut config = Config::new();
    config.failure_persistence = FailurePersistence::None;
    Runner::new(scheduler, config).run(run);
}

#[test]
fn every_call_ends_once_with_its_own_answer_and_leaves_nothing() {
    explore(RandomScheduler::new_from_seed(1, 2_000), run);
    explore(PctScheduler::new_from_seed(1, 3, 2_000), run);
}

/// The bug needs an answer that sleeps while its call is given up and another one has taken the place: priorities make
/// that, and a fair coin at each step hardly does.
#[cfg(feature = "mutants")]
#[test]
fn a_late_answer_to_another_call_is_found_sooner_by_priorities_than_by_chance() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// One caller whose first answer is slow, beside others that keep the threads busy.
    fn runs_until_found(scheduler: impl Scheduler + 'static) -> usize {
        let count = Arc::new(AtomicUsize::new(0));
        let counted = count.clone();
        let search = std::panic::AssertUnwindSafe(move || {
            explore(scheduler, move || {
                counted.fetch_add(1, Ordering::Relaxed);
                run();
            });
        });
        let found = std::panic::catch_unwind(search).is_err();
        if found { count.load(Ordering::Relaxed) } else { usize::MAX }
    }

    const RUNS_MAX: usize = 5_000;
    let median = |search: &dyn Fn(u64) -> usize| {
        let mut runs: Vec<_> = (0..21).map(search).collect();
        runs.sort_unstable();
        runs[runs.len() / 2]
    };
    std::panic::set_hook(Box::new(|_| {}));
    quark_core::mutant::activate("m20");
    let uniform = median(&|seed| runs_until_found(RandomScheduler::new_from_seed(seed, RUNS_MAX)));
    let pct = median(&|seed| runs_until_found(PctScheduler::new_from_seed(seed, 3, RUNS_MAX)));
    quark_core::mutant::activate("");
    let _ = std::panic::take_hook();
    println!("m20: uniform needs {uniform} runs, PCT of depth 3 needs {pct}");
    assert!(pct < RUNS_MAX, "PCT does not find it");
}
