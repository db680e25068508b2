//! A step that is missing between two versions of a state does not compile.

use quark::{Deserialize, Serialize};

#[derive(Deserialize)]
struct AccountV1;

#[derive(Deserialize)]
struct AccountV2;

struct AccountV3;

#[derive(Default, Serialize, Deserialize)]
struct Account;

impl From<AccountV1> for AccountV2 {
    fn from(_: AccountV1) -> Self {
        AccountV2
    }
}

impl From<AccountV3> for Account {
    fn from(_: AccountV3) -> Self {
        Account
    }
}

/// From 2 to 3 there is no way, and 3 cannot be read.
#[quark::actor(kind = "account", durable, version = 4, upgrades(AccountV1, AccountV2, AccountV3))]
impl Account {}

fn main() {}
