//! actix 0.13. Its actors stay on the thread that they were started on, so it has no row for two workers.

use crate::peer::Peer;
use actix::prelude::*;

/// actix.
pub struct Actix;

/// The actor.
pub struct Counter {
    sum: u64,
}

/// The message for the plain handler.
#[derive(Message)]
#[rtype(result = "u64")]
pub struct Add(u64);

/// The message for the async one.
#[derive(Message)]
#[rtype(result = "u64")]
pub struct AddAsync(u64);

impl Actor for Counter {
    type Context = Context<Self>;
}

impl Handler<Add> for Counter {
    type Result = u64;

    fn handle(&mut self, Add(add): Add, _: &mut Context<Self>) -> u64 {
        self.sum += add;
        self.sum
    }
}

impl Handler<AddAsync> for Counter {
    type Result = AtomicResponse<Self, u64>;

    fn handle(&mut self, AddAsync(add): AddAsync, _: &mut Context<Self>) -> Self::Result {
        // The one of its kinds of answer that keeps other messages out until it is done, as the others do.
        AtomicResponse::new(Box::pin(async {}.into_actor(self).map(move |(), counter, _| {
            counter.sum += add;
            counter.sum
        })))
    }
}

impl Peer for Actix {
    const NAME: &'static str = "actix";
    const MOVES: bool = false;
    type Actor = Addr<Counter>;

    async fn start() -> Self {
        Self
    }

    async fn actor(&self, _number: usize) -> Self::Actor {
        Counter { sum: 0 }.start()
    }

    async fn ask(actor: &Self::Actor, add: u64) -> u64 {
        actor.send(Add(add)).await.expect("the actor answers")
    }

    async fn ask_async(actor: &Self::Actor, add: u64) -> u64 {
        actor.send(AddAsync(add)).await.expect("the actor answers")
    }

    async fn tell(actor: &Self::Actor, add: u64) {
        actor.do_send(Add(add));
    }
}
