//! The store goes dark, and nobody else does.

use crate::harness::{Answer, Up, signal, wait_gone};
use crate::server::Server;
use std::collections::BTreeMap;

/// So many deposits meet the dark, one after the other, by when two leases are over and only the others' word is left.
const DARK: u64 = 4;
/// The shortest lease that there is, and a deadline in which it ends.
const SETTINGS: &str = "silos = 3\nrate = 100\n[silo]\ndeadline = \"2s\"\n[membership]\nlease = \"1s\"";
const ACCOUNTS: usize = 12;

/// What is known of each account.
#[derive(Default)]
struct Books {
    /// Deposits that were acknowledged, and those that may have happened.
    accounts: BTreeMap<String, (u64, u64)>,
    acknowledged: u64,
    unanswered: u64,
    next: usize,
}

impl Books {
    /// Deposits 1 into the next account, once.
    fn deposit(&mut self, up: &Up) {
        let account = format!("mine-{}", self.next % ACCOUNTS);
        self.next += 1;
        let answer = up.call(&format!("account/{account}/deposit"), r#"{"amount":1}"#);
        let (sure, perhaps) = self.accounts.entry(account).or_default();
        *perhaps += 1;
        match answer.status {
            200 => {
                *sure += 1;
                self.acknowledged += 1;
                let (sure, perhaps) = (*sure, *perhaps);
                let balance = balance_of(&answer);
                assert!((sure..=perhaps).contains(&balance), "{balance} of {sure} to {perhaps}");
            }
            503 | 504 => self.unanswered += 1,
            _ => panic!("neither done nor refused for a while: {answer:?}"),
        }
    }
}

fn balance_of(answer: &Answer) -> u64 {
    answer.json()["balance"].as_u64().unwrap_or_else(|| panic!("no balance: {answer:?}"))
}

/// Who runs: process and generation of each silo, and how often it was started again.
fn who(up: &Up) -> Vec<(String, [Option<u64>; 3])> {
    let silo = |name: &str| {
        let silo = up.silo(name);
        let number = |field: &str| silo[field].as_u64();
        (name.to_owned(), [number("pid"), number("generation"), number("restarts")])
    };
    ["silo-1", "silo-2", "silo-3"].map(silo).to_vec()
}

/// The version of each silo's lease.
fn leases(server: &Server) -> [Vec<u8>; 3] {
    ["silo-1", "silo-2", "silo-3"].map(|silo| {
        let row = server.ask(&["HGET", "quark:p{.cluster}", &format!("rlease/{silo}")]);
        let row: Vec<u8> = redis::from_redis_value(row).expect("it has joined");
        row[..8].to_vec()
    })
}

#[test]
fn redis_dark_on_processes() {
    let server = Server::start(&[]);
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("quark.toml");
    std::fs::write(&config, format!("store = \"{}\"\n{SETTINGS}", server.url())).expect("written");
    let mut up = Up::start_in(folder.path(), &["--config", config.to_str().expect("text")]);
    up.wait_healthy();
    let before = who(&up);
    let mut books = Books::default();
    // Until each has renewed the lease that it began with: only a renewal says who may vouch, so a cluster that has only
    // just been born stops in the dark instead.
    let born = leases(&server);
    while leases(&server).iter().zip(&born).any(|(now, born)| now == born) {
        books.deposit(&up);
    }
    assert_eq!(books.unanswered, 0, "all is well before");
    let lit = books.acknowledged;

    server.freeze();
    let mut all_ran = Vec::new();
    while books.unanswered < DARK {
        books.deposit(&up);
        all_ran.push(["silo-1", "silo-2", "silo-3"].map(|name| up.silo(name)["status"] == "active"));
    }
    println!("{lit} deposits before, {} unanswered in the dark", books.unanswered);
    // The signal may take as long to arrive as one deposit does.
    assert!(books.acknowledged <= lit + 1, "a deposit was acknowledged that no store has");
    assert!(all_ran.iter().flatten().all(|ran| *ran), "the others vouch for each: {all_ran:?}");
    server.thaw();

    up.eventually("deposits go on", |up| {
        // For every account, so in every silo: each finds the store again by itself.
        let unanswered = books.unanswered;
        (0..ACCOUNTS).for_each(|_| books.deposit(up));
        books.unanswered == unanswered
    });
    let unanswered = books.unanswered;
    (0..100).for_each(|_| books.deposit(&up));
    assert_eq!(books.unanswered, unanswered, "all is well again");
    assert_eq!(who(&up), before, "nobody was evicted or started again");
    for (account, (sure, perhaps)) in &books.accounts {
        let balance = balance_of(&up.call(&format!("account/{account}/balance"), ""));
        assert!((sure..=perhaps).contains(&&balance), "{account}: {balance} of {sure} to {perhaps}");
    }
    let (code, last) = up.interrupt();
    assert_eq!(code, Some(0), "{last}");
    assert!(last.contains("lost: 0") && !last.contains("twice"), "{last}");
}

#[test]
fn silos_do_not_outlive_their_supervisor_and_their_redis() {
    let mut server = Server::start(&[]);
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("quark.toml");
    let settings = "silos = 2\n[silo]\nshutdown_timeout = \"2s\"";
    std::fs::write(&config, format!("store = \"{}\"\n{settings}", server.url())).expect("written");
    let mut up = Up::start_in(folder.path(), &["--config", config.to_str().expect("text")]);
    up.wait_healthy();
    let pids = up.silo_pids();
    assert_eq!(pids.len(), 2);
    server.kill();
    signal("KILL", up.pid());
    wait_gone(&pids);
}
