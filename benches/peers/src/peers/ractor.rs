//! ractor 0.16. Its handlers are async, all of them; its mailboxes are unbounded.

use crate::peer::Peer;
use ractor::rpc::CallResult;
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};

/// ractor.
pub struct Ractor;

/// The actor.
pub struct Counter;

/// A message.
pub enum Message {
    Ask(u64, RpcReplyPort<u64>),
    Tell(u64),
}

impl Actor for Counter {
    type Msg = Message;
    type State = u64;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Message>, (): ()) -> Result<u64, ActorProcessingErr> {
        Ok(0)
    }

    async fn handle(
        &self,
        _: ActorRef<Message>,
        message: Message,
        sum: &mut u64,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Ask(add, reply) => {
                *sum += add;
                reply.send(*sum)?;
            }
            Message::Tell(add) => *sum += add,
        }
        Ok(())
    }
}

impl Peer for Ractor {
    const NAME: &'static str = "ractor";
    type Actor = ActorRef<Message>;

    async fn start() -> Self {
        Self
    }

    async fn actor(&self, _number: usize) -> Self::Actor {
        Counter::spawn(None, Counter, ()).await.expect("it starts").0
    }

    async fn ask(actor: &Self::Actor, add: u64) -> u64 {
        match actor.call(|reply| Message::Ask(add, reply), None).await {
            Ok(CallResult::Success(sum)) => sum,
            _ => panic!("the actor answers"),
        }
    }

    async fn ask_async(actor: &Self::Actor, add: u64) -> u64 {
        Self::ask(actor, add).await
    }

    async fn tell(actor: &Self::Actor, add: u64) {
        actor.cast(Message::Tell(add)).expect("the actor lives");
    }
}
