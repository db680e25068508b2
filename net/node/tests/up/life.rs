//! A cluster's life: it serves, loses a silo, gets it back, and stops.

use crate::harness::{Up, is_alive, signal, wait_gone};
use serde_json::json;

/// Deposits until it is acknowledged; returns how many deposits may have happened.
pub fn deposit_surely(up: &Up, account: &str) -> u64 {
    for attempt in 1.. {
        let answer = up.call(&format!("account/{account}/deposit"), r#"{"amount":1}"#);
        if answer.status == 200 {
            return attempt;
        }
        assert!(matches!(answer.status, 503 | 504), "{answer:?}");
    }
    unreachable!("attempts do not run out")
}

#[test]
fn a_killed_silo_loses_nothing_and_comes_back_as_a_newer_generation() {
    let mut up = Up::serving(&["--silos", "3", "--rate", "300"]);
    let accounts: Vec<String> = (0..30).map(|number| format!("mine-{number}")).collect();
    for account in &accounts {
        assert_eq!(up.call(&format!("account/{account}/deposit"), r#"{"amount":7}"#).status, 200);
    }
    let before = up.silo("silo-2");
    let (pid, generation) =
        (before["pid"].as_u64().expect("runs"), before["generation"].as_u64().expect("serves"));
    signal("KILL", pid);
    up.event("silo-2 was killed by signal 9");

    // Every account answers, those of the dead silo from elsewhere, with all that was acknowledged.
    for account in &accounts {
        let attempts = deposit_surely(&up, account);
        let balance = up.call(&format!("account/{account}/balance"), "").json()["balance"].as_u64();
        let balance = balance.expect("a balance");
        assert!((8..=7 + attempts).contains(&balance), "{account}: {balance} after {attempts} attempts");
    }
    up.eventually("silo-2 serves again", |up| {
        let silo = up.silo("silo-2");
        silo["generation"].as_u64() == Some(generation + 1) && silo["status"] == "active"
    });
    up.wait_healthy();
    assert_ne!(up.silo("silo-2")["pid"].as_u64(), Some(pid));
    let (code, last) = up.interrupt();
    assert_eq!(code, Some(0), "{last}");
    assert!(last.contains("lost: 0") && !last.contains("twice"), "{last}");
}

#[test]
fn ctrl_c_stops_in_order_and_what_was_stored_is_there_the_next_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut up = Up::start_in(folder.path(), &["--silos", "3", "--rate", "200"]);
    up.wait_healthy();
    up.eventually("the load runs", |up| {
        let cluster = up.get("/cluster").expect("an answer").json();
        cluster["load"]["calls"].as_u64().is_some_and(|calls| calls > 200)
    });
    assert_eq!(up.call("account/alice/deposit", r#"{"amount":5}"#).json(), json!({ "balance": 5 }));
    let pids = up.silo_pids();
    assert_eq!(pids.len(), 3);
    let (code, last) = up.interrupt();
    assert_eq!(code, Some(0), "{last}");
    assert!(last.contains("stopped in order") && last.contains("errors 0, lost: 0"), "{last}");
    assert!(!pids.iter().any(|pid| is_alive(*pid)), "no silo is left behind");

    // Other silos, fewer of them, on the same file.
    let mut up = Up::start_in(folder.path(), &["--silos", "2", "--rate", "0"]);
    up.wait_healthy();
    assert_eq!(up.call("account/alice/balance", "").json(), json!({ "balance": 5 }));
    assert_eq!(up.silo("silo-1")["generation"], 2);
    assert_eq!(up.interrupt().0, Some(0));
}

#[test]
fn silos_do_not_outlive_a_supervisor_that_is_killed() {
    let up = Up::serving(&["--silos", "2", "--rate", "50"]);
    let pids = up.silo_pids();
    assert_eq!(pids.len(), 2);
    signal("KILL", up.pid());
    wait_gone(&pids);
}

#[test]
fn a_second_ctrl_c_does_not_wait() {
    let mut up = Up::serving(&["--silos", "2", "--rate", "50"]);
    let pids = up.silo_pids();
    // A stopped silo cannot leave in order, so the first Ctrl-C has to wait for it.
    signal("STOP", pids[0]);
    signal("INT", up.pid());
    up.event("stopping");
    signal("INT", up.pid());
    assert_eq!(up.wait().code(), Some(130));
    wait_gone(&pids);
}
