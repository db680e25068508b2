//! xtra 0.6. Its handlers are async, all of them.

use crate::peer::Peer;
use xtra::prelude::*;

/// xtra.
pub struct Xtra;

/// The actor.
pub struct Counter {
    sum: u64,
}

/// The message.
pub struct Add(u64);

const MAILBOX: usize = 1024;

impl Actor for Counter {
    type Stop = ();

    async fn stopped(self) {}
}

impl Handler<Add> for Counter {
    type Return = u64;

    async fn handle(&mut self, Add(add): Add, _: &mut Context<Self>) -> u64 {
        self.sum += add;
        self.sum
    }
}

impl Peer for Xtra {
    const NAME: &'static str = "xtra";
    type Actor = Address<Counter>;

    async fn start() -> Self {
        Self
    }

    async fn actor(&self, _number: usize) -> Self::Actor {
        xtra::spawn_tokio(Counter { sum: 0 }, Mailbox::bounded(MAILBOX))
    }

    async fn ask(actor: &Self::Actor, add: u64) -> u64 {
        actor.send(Add(add)).await.expect("the actor answers")
    }

    async fn ask_async(actor: &Self::Actor, add: u64) -> u64 {
        actor.send(Add(add)).await.expect("the actor answers")
    }

    async fn tell(actor: &Self::Actor, add: u64) {
        // What it resolves to would wait for the answer.
        drop(actor.send(Add(add)).detach().await.expect("the actor lives"));
    }
}
