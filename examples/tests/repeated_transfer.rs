//! How to find a bug of one's own: a bank that repeats a transfer when the answer is lost, and books it twice.
//!
//! Every booking carries a receipt, and an account books each receipt once. So asking again is harmless, *if it is asked with
//! the same receipt*. The hasty teller writes a new one for each attempt: one line in the wrong place, which no test that
//! loses no answer can see. The laboratory finds it, and what is left of the run is a fault or two and one transfer.

use quark::{Client, Deserialize, Serialize};
use quark_testkit::case::Case;
use quark_testkit::lab::{self, Config, Lab, LabError, Scenario, Settings, Story, SwarmConfig};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

#[derive(Default, Serialize, Deserialize)]
struct Account {
    balance: i64,
    receipts: BTreeSet<String>,
}

#[quark::actor(kind = "account", durable)]
impl Account {
    /// Books an amount, once for each receipt; answers the balance.
    fn book(&mut self, receipt: String, amount: i64) -> i64 {
        if self.receipts.insert(receipt) {
            self.balance += amount;
        }
        self.balance
    }

    fn balance(&self) -> i64 {
        self.balance
    }
}

/// How a teller writes the receipt of an attempt at a transfer.
type Receipt = fn(transfer: &str, attempt: u64) -> String;

/// The planted bug: whoever asks again asks for something else.
fn for_each_attempt(transfer: &str, attempt: u64) -> String {
    format!("{transfer}, attempt {attempt}")
}

fn for_the_transfer(transfer: &str, _attempt: u64) -> String {
    transfer.to_owned()
}

const HASTY: Scenario = Scenario {
    name: "hasty-bank",
    premise: "Three tellers move money between five accounts while silos crash, hang and are cut off, and ask again when no \
              answer comes. When it is over there is as much money as before.",
    sometimes: &["bank.asked_again"],
    world: Config::new,
    describe: |silo| silo.actor::<Account>(),
    tell: |story| Box::pin(tell(story, for_each_attempt)),
    ..Scenario::BLANK
};

const CAREFUL: Scenario =
    Scenario { name: "careful-bank", tell: |story| Box::pin(tell(story, for_the_transfer)), ..HASTY };

const SILOS: [&str; 3] = ["a", "b", "c"];
const TELLERS: u64 = 3;
const TRANSFERS: u64 = 8;
const ACCOUNTS: u64 = 5;
const DEADLINE: Duration = Duration::from_secs(4);
/// More than any fault outlasts.
const ATTEMPTS_MAX: u64 = 200;

async fn tell(s: Story, receipt: Receipt) {
    let silos = &SILOS[..s.knob("silos", 3, 2) as usize];
    s.given(format!("{} silos, {TELLERS} tellers, {ACCOUNTS} accounts with nothing on them", silos.len()));
    s.start_all(silos).await;
    let faults = SwarmConfig::new(silos, Duration::from_secs(20));
    let tellers = lab::join_all((0..TELLERS).map(|number| trade(s.clone(), number, receipt)));
    lab::join(tellers, lab::chaos(&s, silos, &faults)).await;
    // A booking of which nobody knows may still run until its deadline is past.
    s.stage.sleep(DEADLINE * 2).await;
    let client = s.stage.client("auditor").await;
    let mut sum = 0;
    for number in 0..ACCOUNTS {
        match client.actor::<Account>(&format!("account-{number}")).balance().await {
            Ok(balance) => sum += balance,
            Err(error) => s.violated("served", format!("account-{number} does not answer: {error}")),
        }
    }
    s.finally("there is as much money as before");
    s.require("money", sum == 0, || format!("there is more or less money than before: {sum}"));
}

async fn trade(s: Story, number: u64, receipt: Receipt) {
    let who = format!("teller-{number}");
    let client = s.stage.client(&who).await;
    for turn in 0..TRANSFERS {
        s.stage.sleep(s.draw_time(&who, turn, Duration::from_secs(4))).await;
        if !s.does(&who, turn) {
            continue;
        }
        let from = s.draw("from", number << 32 | turn, ACCOUNTS);
        let to = (from + 1 + s.draw("to", number << 32 | turn, ACCOUNTS - 1)) % ACCOUNTS;
        let transfer = format!("{who}-{turn}");
        for (account, amount) in [(from, -5), (to, 5)] {
            book(&s, &client, &format!("account-{account}"), &transfer, amount, receipt).await;
        }
    }
}

/// Books until the account says that it has.
async fn book(s: &Story, client: &Client, account: &str, transfer: &str, amount: i64, receipt: Receipt) {
    for attempt in 0..ATTEMPTS_MAX {
        let booking = client.actor::<Account>(account).book(receipt(transfer, attempt), amount);
        match booking.deadline(DEADLINE).await {
            Ok(_) => return,
            Err(error) => {
                lab::reached!("bank.asked_again");
                s.when(format!("{transfer} asks {account} again: {error}"));
            }
        }
        s.stage.sleep(Duration::from_millis(500)).await;
    }
    s.violated("served", format!("{transfer} is not booked on {account}"));
}

const SEEDS: std::ops::Range<u64> = 0..50;

#[test]
fn the_laboratory_finds_the_doubled_booking_and_makes_it_small() {
    let folder = tempfile::tempdir().expect("there is room for a small file");
    let found = Lab::of(&HASTY).seeds(SEEDS).folder(folder.path()).run();
    let Err(LabError::Found(finding)) = found else { panic!("a booking is doubled: {found:?}") };
    assert_eq!(finding.violation.checker, "money", "{finding}");
    let small = finding.small.as_ref().expect("any telling shows it");
    assert!((1..=4).contains(&small.left.faults) && small.left.operations == 1, "{finding}");
    assert!(small.is_minimal && small.whole.operations == (TELLERS * TRANSFERS) as usize, "{finding}");

    // Its file tells the same, and is what `QUARK_LAB_CASE` takes.
    let file = finding.case_file.clone().expect("it was written");
    let variables = [("QUARK_LAB_CASE".to_owned(), file.display().to_string())];
    let again =
        Lab::of(&HASTY).with(Settings::read(variables).expect("a file's name")).folder(folder.path()).run();
    let Err(LabError::Found(again)) = again else { panic!("the same run ends otherwise: {again:?}") };
    assert_eq!((again.failure(), again.violation), (finding.failure(), finding.violation));
    let page = finding.page_file.expect("it was drawn");
    assert!(is_page(&page), "{}", page.display());

    // The mended bank takes the very faults that broke the hasty one.
    let mended = Case { story: CAREFUL.name.to_owned(), ..finding.case };
    let report = quark_testkit::runner::tell_case(&CAREFUL, &mended);
    assert_eq!(report.violations, []);
}

fn is_page(file: &Path) -> bool {
    std::fs::read_to_string(file)
        .is_ok_and(|text| text.contains("QUARK_LAB_CASE=") && text.contains("</html>"))
}

#[test]
fn the_mended_bank_holds_over_the_same_seeds() {
    let held = lab::hold(&CAREFUL, SEEDS);
    assert!(held.runs == 0 || held.examined["at-most-once"] > held.runs, "{held:?}");
}
