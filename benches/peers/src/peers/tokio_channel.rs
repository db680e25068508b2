//! No actor runtime at all: a tokio task, a bounded channel, and a channel for each answer. The floor of all that have a
//! mailbox and a task for each actor.

use crate::peer::Peer;
use tokio::sync::{mpsc, oneshot};

/// Tokio alone.
pub struct Tokio;

/// A message.
pub enum Message {
    Ask(u64, oneshot::Sender<u64>),
    AskAsync(u64, oneshot::Sender<u64>),
    Tell(u64),
}

const MAILBOX: usize = 1024;

async fn add(sum: &mut u64, add: u64) -> u64 {
    *sum += add;
    *sum
}

async fn run(mut inbox: mpsc::Receiver<Message>) {
    let mut sum = 0;
    while let Some(message) = inbox.recv().await {
        match message {
            Message::Ask(add, reply) => {
                sum += add;
                let _ = reply.send(sum);
            }
            Message::AskAsync(by, reply) => {
                let _ = reply.send(add(&mut sum, by).await);
            }
            Message::Tell(add) => sum += add,
        }
    }
}

impl Peer for Tokio {
    const NAME: &'static str = "tokio channels";
    type Actor = mpsc::Sender<Message>;

    async fn start() -> Self {
        Self
    }

    async fn actor(&self, _number: usize) -> Self::Actor {
        let (sender, inbox) = mpsc::channel(MAILBOX);
        tokio::spawn(run(inbox));
        sender
    }

    async fn ask(actor: &Self::Actor, add: u64) -> u64 {
        let (reply, answer) = oneshot::channel();
        actor.send(Message::Ask(add, reply)).await.expect("the actor lives");
        answer.await.expect("the actor answers")
    }

    async fn ask_async(actor: &Self::Actor, add: u64) -> u64 {
        let (reply, answer) = oneshot::channel();
        actor.send(Message::AskAsync(add, reply)).await.expect("the actor lives");
        answer.await.expect("the actor answers")
    }

    async fn tell(actor: &Self::Actor, add: u64) {
        actor.send(Message::Tell(add)).await.expect("the actor lives");
    }
}
