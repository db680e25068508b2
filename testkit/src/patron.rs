//! A client of accounts whose every call is written down, for tests on whatever engine: the checkers read the rest.

use crate::history::{ClientEvent, Op, Outcome};
use crate::recorder::Recorder;
use quark::{CallError, Client, Deserialize, Failure, Happened, Serialize};
use quark_core::ActorId;
use std::sync::Arc;
use std::time::Duration;

/// A durable sum.
#[derive(Default, Serialize, Deserialize)]
pub struct Account {
    balance: u64,
}

#[quark::actor(kind = "account", durable)]
impl Account {
    /// Adds to the balance; answers the new one.
    pub fn deposit(&mut self, amount: u64) -> u64 {
        self.balance += amount;
        self.balance
    }

    /// The balance.
    pub fn balance(&self) -> u64 {
        self.balance
    }
}

/// How many accounts patrons visit, one after another.
pub const ACCOUNTS: u64 = 8;

/// One client, which has one call under way at a time.
pub struct Patron {
    /// Tells it from the others.
    pub number: u64,
    /// With what it calls.
    pub client: Client,
    /// Where it writes down what it asked and was told.
    pub recorder: Arc<Recorder>,
    /// How long it waits for each answer.
    pub deadline: Duration,
}

impl Patron {
    /// Its so-manieth visit: to the next account, every fourth only to read.
    pub async fn visit(&self, count: u64) -> Outcome {
        let key = format!("a{}", (self.number + count) % ACCOUNTS);
        let op = if count.is_multiple_of(4) { Op::Read } else { Op::Add(1 + count % 9) };
        self.perform(count, &key, op).await
    }

    /// Performs one operation on an account, of which `count` tells it from its others. What is no deposit reads.
    pub async fn perform(&self, count: u64, key: &str, op: Op) -> Outcome {
        let op_id = self.number << 32 | count;
        let actor = ActorId::new("account", key).expect("a short key");
        self.recorder.client(ClientEvent::Invoked { client: self.number, op_id, actor, op });
        let account = self.client.actor::<Account>(key);
        let answer = match op {
            Op::Add(amount) => account.deposit(amount).deadline(self.deadline).await,
            _ => account.balance().deadline(self.deadline).await,
        };
        let outcome = outcome_of(&answer);
        self.recorder.client(ClientEvent::Returned { op_id, outcome });
        outcome
    }
}

/// What a history says of an answer.
pub fn outcome_of(answer: &Result<u64, CallError>) -> Outcome {
    match answer {
        Ok(balance) => Outcome::Ok(*balance),
        Err(error) if error.failure().map_or(Happened::No, Failure::happened) == Happened::No => {
            Outcome::Failed
        }
        Err(_) => Outcome::Unknown,
    }
}
