//! coerce 0.8, without its remote part. Its handlers are async, all of them, and boxed; its mailboxes are unbounded.

use crate::peer::Peer;
use async_trait::async_trait;
use coerce::actor::context::ActorContext;
use coerce::actor::message::{Handler, Message};
use coerce::actor::system::ActorSystem;
use coerce::actor::{Actor, LocalActorRef};

/// coerce.
pub struct Coerce {
    system: ActorSystem,
}

/// The actor.
pub struct Counter {
    sum: u64,
}

/// The message.
pub struct Add(u64);

impl Actor for Counter {}

impl Message for Add {
    type Result = u64;
}

#[async_trait]
impl Handler<Add> for Counter {
    async fn handle(&mut self, Add(add): Add, _: &mut ActorContext) -> u64 {
        self.sum += add;
        self.sum
    }
}

impl Peer for Coerce {
    const NAME: &'static str = "coerce";
    type Actor = LocalActorRef<Counter>;

    async fn start() -> Self {
        Self { system: ActorSystem::new() }
    }

    async fn actor(&self, _number: usize) -> Self::Actor {
        self.system.new_anon_actor(Counter { sum: 0 }).await.expect("it starts")
    }

    async fn ask(actor: &Self::Actor, add: u64) -> u64 {
        actor.send(Add(add)).await.expect("the actor answers")
    }

    async fn ask_async(actor: &Self::Actor, add: u64) -> u64 {
        actor.send(Add(add)).await.expect("the actor answers")
    }

    async fn tell(actor: &Self::Actor, add: u64) {
        actor.notify(Add(add)).expect("the actor lives");
    }
}
