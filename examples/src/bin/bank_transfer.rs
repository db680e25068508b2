//! Transfers between accounts while a silo leaves: no money is lost or made, however a call ends.
//!
//! `cargo run -p quark-examples --bin bank_transfer`
//!
//! A call that ends as `Indeterminate` may have happened. So every step of a transfer carries the transfer's name, an
//! account remembers the names that it has seen, and asking again is harmless. The transfer is an actor itself: what it
//! has decided is committed before anybody hears of it, so it can be asked again by anybody, too.

use anyhow::Result;
use futures_util::future::{join, join_all};
use quark::{ActorContext, CallError, Client, SiloBuilder};
use quark_examples::cluster::Cluster;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Why an account gives no money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct TooPoor {
    balance: u64,
}

#[derive(Default, Serialize, Deserialize)]
struct Account {
    balance: u64,
    /// What has been booked. A real bank would forget after a while.
    receipts: BTreeSet<String>,
}

#[quark::actor(kind = "account", durable)]
impl Account {
    fn deposit(&mut self, receipt: String, amount: u64) -> u64 {
        if self.receipts.insert(receipt) {
            self.balance += amount;
        }
        self.balance
    }

    fn withdraw(&mut self, receipt: String, amount: u64) -> Result<u64, TooPoor> {
        if self.receipts.contains(&receipt) {
            return Ok(self.balance);
        }
        self.balance = self.balance.checked_sub(amount).ok_or(TooPoor { balance: self.balance })?;
        self.receipts.insert(receipt);
        Ok(self.balance)
    }

    fn balance(&self) -> u64 {
        self.balance
    }
}

/// How a transfer ended, or that it has not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Unfinished {
    /// The payer has too little. Nothing was moved.
    Refused(TooPoor),
    /// The runtime could not bring a step to its end. Ask again.
    Interrupted(String),
}

#[derive(Default, Serialize, Deserialize)]
struct Transfer {
    ended: Option<Result<(), TooPoor>>,
}

#[quark::actor(kind = "transfer", durable)]
impl Transfer {
    async fn carry_out(
        &mut self,
        ctx: &ActorContext,
        from: String,
        to: String,
        amount: u64,
    ) -> Result<(), Unfinished> {
        if let Some(ended) = &self.ended {
            return ended.map_err(Unfinished::Refused);
        }
        let receipt = ctx.id().key();
        let (payer, payee) = (ctx.actor::<Account>(&from), ctx.actor::<Account>(&to));
        match payer.withdraw(receipt.to_owned(), amount).await {
            Ok(_) => {}
            Err(CallError::App(too_poor)) => {
                self.ended = Some(Err(too_poor));
                return Err(Unfinished::Refused(too_poor));
            }
            Err(CallError::Failed(failure)) => return Err(Unfinished::Interrupted(failure.to_string())),
        }
        // From here on it can only succeed, if need be at the next asking.
        let paid = payee.deposit(receipt.to_owned(), amount).await;
        paid.map_err(|failure| Unfinished::Interrupted(failure.to_string()))?;
        self.ended = Some(Ok(()));
        Ok(())
    }
}

/// Asks until the transfer has ended, one way or the other.
async fn transfer(client: &Client, number: u64, from: &str, to: &str, amount: u64) -> Result<(), TooPoor> {
    let transfer = client.actor::<Transfer>(&format!("transfer-{number}"));
    for _ in 0..TRIES_MAX {
        match transfer.carry_out(from.into(), to.into(), amount).await {
            Ok(()) => return Ok(()),
            Err(CallError::App(Unfinished::Refused(too_poor))) => return Err(too_poor),
            Err(error) => eprintln!("transfer-{number}: {error}; asking again"),
        }
    }
    panic!("transfer-{number} does not end");
}

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
struct Books {
    balances: Vec<u64>,
    refused: usize,
}

/// Sends money round in a circle while a silo leaves, and more than there is at the end.
async fn trade() -> Result<Books> {
    let describe = |silo: SiloBuilder| silo.actor::<Account>().actor::<Transfer>();
    let mut cluster = Cluster::start(&["a", "b", "c"], describe).await?;
    let (client, names) = (cluster.client(), ["alice", "bob", "carol"]);
    for name in names {
        client.actor::<Account>(name).deposit("opening".into(), 100).await?;
    }
    let round = (0..42).map(|n| transfer(&client, n, names[n as usize % 3], names[(n as usize + 1) % 3], 5));
    let (mut outcomes, ()) = join(join_all(round), cluster.stop_last()).await;
    outcomes.push(transfer(&client, 42, "alice", "bob", 1_000_000).await);
    let mut balances = Vec::new();
    for name in names {
        balances.push(client.actor::<Account>(name).balance().await?);
    }
    cluster.stop().await;
    Ok(Books { balances, refused: outcomes.iter().filter(|outcome| outcome.is_err()).count() })
}

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let books = runtime.block_on(trade())?;
    println!("balances of alice, bob and carol: {:?}; refused transfers: {}", books.balances, books.refused);
    Ok(())
}

const TRIES_MAX: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circle_of_transfers_leaves_every_balance_as_it_was_though_a_silo_leaves() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let books = runtime.block_on(trade()).unwrap();
        assert_eq!(books, Books { balances: vec![100; 3], refused: 1 });
    }
}
