//! Volatile actors that stories and benches share. Each lives in memory only: lost with its silo, and with nothing else.

use quark::{ActorContext, CallError, Deserialize, Failure, Serialize};
use quark_core::SiloId;
use std::collections::BTreeMap;
use std::time::Duration;

/// Answers with what it was sent.
#[derive(Default)]
pub struct Echo;

#[quark::actor(kind = "echo")]
impl Echo {
    /// The same bytes.
    pub fn echo(&self, bytes: Vec<u8>) -> Vec<u8> {
        bytes
    }
}

/// What a counter says: how far it has counted, and which activation speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Tally {
    /// The count.
    pub count: u64,
    /// Where it lives.
    pub host: SiloId,
    /// The host's clock at its first turn, in nanoseconds: with `host` it names the activation.
    pub born_ns: u64,
}

#[derive(Default)]
struct Count {
    count: u64,
    born_ns: Option<u64>,
}

impl Count {
    fn add(&mut self, ctx: &ActorContext, amount: u64) -> Tally {
        let born_ns = *self.born_ns.get_or_insert(ctx.now().0);
        self.count += amount;
        Tally { count: self.count, host: ctx.silo(), born_ns }
    }
}

/// Counts, on a silo drawn at random.
#[derive(Default)]
pub struct Counter(Count);

#[quark::actor(kind = "counter", placement = random)]
impl Counter {
    /// Adds; answers the new count.
    pub fn add(&mut self, ctx: &ActorContext, amount: u64) -> Tally {
        self.0.add(ctx, amount)
    }
}

/// Counts, on the silo of its first caller.
#[derive(Default)]
pub struct Pet(Count);

#[quark::actor(kind = "pet", placement = prefer_local)]
impl Pet {
    /// Adds; answers the new count.
    pub fn add(&mut self, ctx: &ActorContext, amount: u64) -> Tally {
        self.0.add(ctx, amount)
    }
}

/// What a nomad answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Visit {
    /// What the visitor brought.
    pub token: u64,
    /// Where the nomad lives.
    pub host: SiloId,
    /// How long the visitor was still going to wait when the turn began, in milliseconds; `None` for ever.
    pub patience_ms: Option<u64>,
}

/// Lives wherever chance has put it, and is soon forgotten.
#[derive(Default)]
pub struct Nomad;

#[quark::actor(kind = "nomad", placement = random)]
impl Nomad {
    /// Keeps the visitor for a while, then answers what it brought.
    pub async fn visit(&mut self, ctx: &ActorContext, token: u64, linger_ms: u64) -> Visit {
        let patience_ms = ctx.remaining().map(|left| left.as_millis() as u64);
        if linger_ms > 0 {
            ctx.sleep(Duration::from_millis(linger_ms)).await;
        }
        Visit { token, host: ctx.silo(), patience_ms }
    }
}

/// Sends numbered tells to a listener.
#[derive(Default)]
pub struct Herald {
    sent: u64,
    name: Option<String>,
}

#[quark::actor(kind = "herald", placement = prefer_local)]
impl Herald {
    /// Sends the next `count` numbers to a listener; answers the last.
    pub fn proclaim(&mut self, ctx: &ActorContext, listener: String, count: u64) -> u64 {
        let name =
            self.name.get_or_insert_with(|| format!("{} of {} at {:?}", ctx.id(), ctx.silo(), ctx.now()));
        let listener = ctx.actor::<Listener>(&listener);
        for _ in 0..count {
            self.sent += 1;
            // A tell that is not sent leaves a gap; only an order that is turned round is wrong.
            let _ = listener.hear(name.clone(), self.sent).tell();
        }
        self.sent
    }
}

/// Remembers the highest number of each herald, and what came after a higher one.
#[derive(Default)]
pub struct Listener {
    highest: BTreeMap<String, u64>,
    heard: u64,
    disorder: Vec<String>,
}

/// What a listener has heard.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Heard {
    /// How many numbers.
    pub count: u64,
    /// Those that came after a higher one, or twice.
    pub disorder: Vec<String>,
}

#[quark::actor(kind = "listener", placement = random)]
impl Listener {
    /// A number of a herald.
    pub async fn hear(&mut self, ctx: &ActorContext, herald: String, number: u64) {
        let highest = self.highest.entry(herald.clone()).or_default();
        if number <= *highest {
            self.disorder.push(format!("{number} after {highest} of {herald}"));
        }
        *highest = number;
        self.heard += 1;
        ctx.sleep(Duration::from_micros(200)).await;
    }

    /// What it has heard in this life.
    pub fn heard(&self) -> Heard {
        Heard { count: self.heard, disorder: self.disorder.clone() }
    }

    /// Ends this life; the next message begins another, perhaps elsewhere.
    pub fn die(&mut self) {
        panic!("asked to");
    }
}

/// Why a chain of calls did not come to its end.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Broken {
    /// It would have waited for itself: the kinds and keys on the way.
    Cycle(Vec<String>),
    /// Another failure, by name.
    Failed(String),
}

impl From<CallError<Broken>> for Broken {
    fn from(error: CallError<Broken>) -> Self {
        match error {
            CallError::App(broken) => broken,
            CallError::Failed(Failure::Deadlock { path }) => {
                Broken::Cycle(path.iter().map(ToString::to_string).collect())
            }
            CallError::Failed(failure) => Broken::Failed(failure.name().into()),
        }
    }
}

/// Passes a parcel along a path of relays, and waits for each.
#[derive(Default)]
pub struct Relay;

#[quark::actor(kind = "relay", placement = random)]
impl Relay {
    /// Hands on while nothing else may happen here; answers how many came after.
    pub async fn carry(
        &mut self,
        ctx: &ActorContext,
        path: Vec<String>,
        linger_ms: u64,
    ) -> Result<u64, Broken> {
        if linger_ms > 0 {
            ctx.sleep(Duration::from_millis(linger_ms)).await;
        }
        let Some((next, rest)) = path.split_first() else { return Ok(0) };
        let after = ctx.actor::<Relay>(next).carry(rest.to_vec(), linger_ms).await?;
        Ok(after + 1)
    }

    /// Hands on while others may pass through here as well.
    pub async fn pass(&self, ctx: &ActorContext, path: Vec<String>, linger_ms: u64) -> Result<u64, Broken> {
        if linger_ms > 0 {
            ctx.sleep(Duration::from_millis(linger_ms)).await;
        }
        let Some((next, rest)) = path.split_first() else { return Ok(0) };
        let after = ctx.actor::<Relay>(next).pass(rest.to_vec(), linger_ms).await?;
        Ok(after + 1)
    }
}
