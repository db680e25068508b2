//! The accounts that have been stored by every version of the bank load today.

use quark_scenarios::bank::Account;
use quark_testkit::golden::Golden;

#[test]
fn accounts_of_every_version_load() {
    let mut golden = Golden::open(concat!(env!("CARGO_MANIFEST_DIR"), "/golden/account.txt"));
    let mut some = Account::default();
    some.deposit(300);
    some.deposit(7);
    let mut rich = Account::default();
    rich.deposit(u64::MAX);
    golden.actor([("empty", Account::default()), ("two deposits", some), ("all there is", rich)]);
    golden.finish();
}
