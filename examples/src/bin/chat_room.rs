//! A chat: rooms and users are actors, somewhere on three silos, and call one another by name.
//!
//! `cargo run -p quark-examples --bin chat_room`
//!
//! Users call rooms, and rooms call nobody: a room that called its users would wait for one who waits for the room. The
//! runtime refuses such a circle as a `Deadlock` where it sees it, but an order of who calls whom is better.
//! Nothing here is durable: what is said lives in memory, and is gone with its silo.

use anyhow::Result;
use quark::{ActorContext, CallError};
use quark_examples::cluster::Cluster;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// Somebody who talks and reads, in any number of rooms.
#[derive(Default)]
struct User {
    /// By room, the number of the next line to read.
    next: BTreeMap<String, u64>,
}

#[quark::actor(kind = "user")]
impl User {
    /// Says something; answers the number of the line. `&self`: one may say several things at once.
    async fn say(&self, ctx: &ActorContext, room: String, text: String) -> Result<u64, NotHeard> {
        let line = format!("{}: {text}", ctx.id().key());
        Ok(ctx.actor::<Room>(&room).post(line).await?)
    }

    /// What was said since the last time. `&mut self`: one look after the other, so that no line is read twice.
    async fn read(&mut self, ctx: &ActorContext, room: String) -> Result<Vec<String>, NotHeard> {
        let next = self.next.get(&room).copied().unwrap_or(0);
        let (lines, next) = ctx.actor::<Room>(&room).lines_from(next).await?;
        self.next.insert(room, next);
        Ok(lines)
    }
}

/// A room, and the last things that were said in it.
#[derive(Default)]
struct Room {
    lines: VecDeque<String>,
    /// Older lines, which nobody can read any more: memory is bounded.
    forgotten: u64,
}

#[quark::actor(kind = "room")]
impl Room {
    fn post(&mut self, line: String) -> u64 {
        if self.lines.len() == LINES_MAX {
            self.lines.pop_front();
            self.forgotten += 1;
        }
        self.lines.push_back(line);
        self.forgotten + self.lines.len() as u64 - 1
    }

    /// The lines from this number on, and the number of the one after them.
    fn lines_from(&self, number: u64) -> (Vec<String>, u64) {
        let skip = number.saturating_sub(self.forgotten) as usize;
        (self.lines.iter().skip(skip).cloned().collect(), self.forgotten + self.lines.len() as u64)
    }
}

/// The room could not be reached, or did not answer; in words.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct NotHeard(String);

impl From<CallError> for NotHeard {
    fn from(error: CallError) -> Self {
        Self(error.to_string())
    }
}

/// Lets three people talk; returns what each has read.
async fn talk() -> Result<Vec<(&'static str, Vec<String>)>> {
    let cluster = Cluster::start(&["a", "b", "c"], |silo| silo.actor::<User>().actor::<Room>()).await?;
    let client = cluster.client();
    let [ada, bob, cleo] = ["ada", "bob", "cleo"].map(|name| client.actor::<User>(name));
    let lobby = || "lobby".to_owned();
    ada.say(lobby(), "is anybody here?".into()).await?;
    bob.say(lobby(), "only us actors".into()).await?;
    let mut read = vec![("ada", ada.read(lobby()).await?)];
    cleo.say(lobby(), "speak for yourself".into()).await?;
    for (name, user) in [("ada", ada), ("bob", bob)] {
        read.push((name, user.read(lobby()).await?));
    }
    cluster.stop().await;
    Ok(read)
}

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for (name, lines) in runtime.block_on(talk())? {
        println!("{name} reads:");
        lines.iter().for_each(|line| println!("    {line}"));
    }
    Ok(())
}

const LINES_MAX: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_reads_every_line_once_and_in_order() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let [first, second, third] =
            ["ada: is anybody here?", "bob: only us actors", "cleo: speak for yourself"].map(str::to_owned);
        let read = runtime.block_on(talk()).unwrap();
        let expected = [
            ("ada", vec![first.clone(), second.clone()]),
            ("ada", vec![third.clone()]),
            ("bob", vec![first, second, third]),
        ];
        assert_eq!(read, expected);
    }
}
