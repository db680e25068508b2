//! kameo 0.22, as its own examples use it: a bounded mailbox of its default size. Its handlers are async, all of them.

use crate::peer::Peer;
use kameo::prelude::*;
use std::convert::Infallible;

/// kameo.
pub struct Kameo;

/// The actor.
pub struct Counter {
    sum: u64,
}

/// The message.
pub struct Add(u64);

impl Actor for Counter {
    type Args = Self;
    type Error = Infallible;

    async fn on_start(state: Self, _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(state)
    }
}

impl Message<Add> for Counter {
    type Reply = u64;

    async fn handle(&mut self, Add(add): Add, _: &mut Context<Self, u64>) -> u64 {
        self.sum += add;
        self.sum
    }
}

impl Peer for Kameo {
    const NAME: &'static str = "kameo";
    type Actor = ActorRef<Counter>;

    async fn start() -> Self {
        Self
    }

    async fn actor(&self, _number: usize) -> Self::Actor {
        Counter::spawn(Counter { sum: 0 })
    }

    async fn ask(actor: &Self::Actor, add: u64) -> u64 {
        actor.ask(Add(add)).send().await.expect("the actor answers")
    }

    async fn ask_async(actor: &Self::Actor, add: u64) -> u64 {
        actor.ask(Add(add)).send().await.expect("the actor answers")
    }

    async fn tell(actor: &Self::Actor, add: u64) {
        actor.tell(Add(add)).send().await.expect("the actor lives");
    }
}
