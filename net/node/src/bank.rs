//! The sample bank: what `quark up` runs, and how much code an actor is.

use quark::actor::{Actor, Contract};
use quark::{Deserialize, Serialize, SiloBuilder};

/// An account. Its balance is committed before any caller hears of it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Account {
    balance: u64,
}

/// What an account holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balance {
    /// In whole units of the bank's one currency.
    pub balance: u64,
}

/// Why an account did not do as asked. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// In words.
    pub reason: String,
    /// What the account holds.
    pub balance: u64,
}

#[quark::actor(kind = "account", durable)]
impl Account {
    /// Adds to the balance.
    fn deposit(&mut self, amount: u64) -> Result<Balance, Refused> {
        match self.balance.checked_add(amount) {
            Some(balance) => Ok(self.set(balance)),
            None => Err(self.refuse("the account cannot hold that much")),
        }
    }

    /// Takes from the balance, if there is enough.
    fn withdraw(&mut self, amount: u64) -> Result<Balance, Refused> {
        match self.balance.checked_sub(amount) {
            Some(balance) => Ok(self.set(balance)),
            None => Err(self.refuse("the account does not hold that much")),
        }
    }

    /// What the account holds.
    fn balance(&self) -> Balance {
        Balance { balance: self.balance }
    }

    #[quark(local)]
    fn set(&mut self, balance: u64) -> Balance {
        self.balance = balance;
        Balance { balance }
    }

    #[quark(local)]
    fn refuse(&self, reason: &str) -> Refused {
        Refused { reason: reason.into(), balance: self.balance }
    }
}

/// Registers the kinds that every silo of the sample cluster hosts.
pub fn register(builder: SiloBuilder) -> SiloBuilder {
    builder.actor::<Account>()
}

/// The contracts of those kinds, for whoever calls by name.
pub fn contracts() -> [&'static Contract; 1] {
    [Account::contract()]
}
