//! The bank: accounts that must never lose an acknowledged deposit, whatever happens around them.

use quark::{Deserialize, Serialize};

/// A withdrawal that the account refuses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// What there is.
    pub balance: u64,
}

/// A durable account.
#[derive(Default, Serialize, Deserialize)]
pub struct Account {
    balance: u64,
    deposits: u64,
}

#[quark::actor(kind = "account", durable)]
impl Account {
    /// Adds to the balance; answers the new one.
    pub fn deposit(&mut self, amount: u64) -> u64 {
        self.balance += amount;
        self.deposits += 1;
        self.balance
    }

    /// Takes from the balance; answers the new one.
    pub async fn withdraw(&mut self, amount: u64) -> Result<u64, Refused> {
        if amount > self.balance {
            return Err(Refused { balance: self.balance });
        }
        self.balance -= amount;
        Ok(self.balance)
    }

    /// The balance.
    pub fn balance(&self) -> u64 {
        self.balance
    }
}
