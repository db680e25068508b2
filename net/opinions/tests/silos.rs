//! The silo itself over the real transport and the real store's client, on turmoil: what it does is written down as in every
//! scenario, and the same checkers read it.

use futures_util::future::join_all;
use parking_lot::Mutex;
use quark_opinions::Lab;
use quark_opinions::silos::Silos;
use quark_testkit::checkers;
use quark_testkit::history::{History, Op, Outcome, WorldEvent};
use quark_testkit::patron::{ACCOUNTS, Account, Patron};
use std::sync::Arc;
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(4);

/// Visits as its patron does, and minds the clock.
async fn visit(lab: &Lab, patron: &Patron, count: u64) -> Outcome {
    let began = lab.elapsed();
    let outcome = patron.visit(count).await;
    let took = lab.elapsed() - began;
    assert!(took <= DEADLINE + Duration::from_millis(20), "its deadline was {DEADLINE:?}, it took {took:?}");
    outcome
}

/// What goes wrong in the middle of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Trouble {
    Partition,
    Crash,
    StoreRestarts,
}

async fn story(lab: Lab, trouble: Trouble) -> History {
    let silos = Silos::begin(&lab, Arc::new(|silo| silo.actor::<Account>())).await;
    let started = join_all(["a", "b", "c"].map(|name| silos.start(name))).await;
    assert!(started.iter().all(Result::is_ok), "{started:?}");
    silos.converge(Duration::from_secs(30)).await;
    let stop = Arc::new(Mutex::new(false));
    let mut visiting = Vec::new();
    for number in 1..=3 {
        let (client, _) = silos.client().await;
        let patron = Patron { number, client, recorder: silos.recorder().clone(), deadline: DEADLINE };
        let (lab, stop) = (lab.clone(), stop.clone());
        visiting.push(tokio::spawn(async move {
            let (mut count, mut done) = (0, 0);
            while !*stop.lock() {
                count += 1;
                done += u64::from(matches!(visit(&lab, &patron, count).await, Outcome::Ok(_)));
                lab.sleep(Duration::from_millis(40)).await;
            }
            done
        }));
    }
    lab.sleep(Duration::from_secs(3)).await;
    match trouble {
        Trouble::Partition => {
            let groups: &[&[&str]] = &[&["b"], &["a", "c"]];
            silos.partition(groups);
            lab.sleep(Duration::from_secs(25)).await;
            silos.heal(groups);
        }
        Trouble::Crash => silos.crash("b").await,
        Trouble::StoreRestarts => {
            silos.redis().crash(&lab, 0).await;
            lab.sleep(Duration::from_secs(2)).await;
            silos.redis().start(&lab).await;
        }
    }
    lab.sleep(Duration::from_secs(2)).await;
    if silos.silo("b").is_none() {
        silos.start("b").await.expect("everything is mended");
    }
    silos.recorder().world(WorldEvent::Healed);
    silos.converge(Duration::from_secs(60)).await;
    lab.sleep(DEADLINE * 2).await;
    *stop.lock() = true;
    for visitor in visiting {
        let done = visitor.await.expect("a visitor does not panic");
        assert!(done > 50, "{done} visits in all this time");
    }
    lab.sleep(Duration::from_secs(60)).await;
    let (client, _keep) = silos.client().await;
    let last = Patron { number: 9, client, recorder: silos.recorder().clone(), deadline: DEADLINE };
    for account in 0..ACCOUNTS {
        let outcome = last.perform(account, &format!("a{account}"), Op::Read).await;
        assert!(matches!(outcome, Outcome::Ok(_)), "account {account} after all is mended: {outcome:?}");
    }
    lab.sleep(Duration::from_secs(40)).await;
    silos.recorder().world(WorldEvent::Quiet);
    silos.sample();
    assert_eq!(silos.redis().refused(), Vec::<String>::new());
    silos.recorder().take_history()
}

fn no_promise_is_broken(trouble: Trouble) {
    let seed = 11;
    let history = Lab::run(seed, move |lab| Box::pin(story(lab, trouble)));
    let report = checkers::check_all(&history, &checkers::always_on());
    assert!(report.is_clean(), "{trouble:?} with seed {seed}\n{report}");
    let examined: Vec<_> = report.verdicts.iter().map(|(name, verdict)| (*name, verdict.examined)).collect();
    println!("{trouble:?}: {} records, {examined:?}", history.records().len());
    // Those that read the simulator's own store see nothing here; these must have.
    for name in ["ledger", "linearizable", "at-most-once", "outcomes", "deadlines", "views", "one-runner"] {
        let seen = examined.iter().find(|(found, _)| *found == name).map(|(_, examined)| *examined);
        assert!(seen > Some(0), "{name} has examined nothing: {examined:?}");
    }
}

#[test]
fn a_silo_that_is_cut_off_breaks_no_promise() {
    no_promise_is_broken(Trouble::Partition);
}

#[test]
fn a_silo_that_crashes_breaks_no_promise() {
    no_promise_is_broken(Trouble::Crash);
}

#[test]
fn a_store_that_restarts_breaks_no_promise() {
    no_promise_is_broken(Trouble::StoreRestarts);
}
