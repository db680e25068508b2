//! Imps: actors that are a nuisance when told to, for faults that are about what a cluster is asked to do.
//!
//! A cluster whose silos host them ([`hosted`]) can suffer hot actors, bursts, huge messages and the like; see
//! [`quark_chaos::Needs::Imps`]. They keep to themselves: no actor of a story knows them.

use bytes::Bytes;
use quark::{
    ActorContext, CallError, Deserialize, Failure, MissedPolicy, Reminder, Schedule, Serialize, SiloBuilder,
};
use std::time::Duration;

/// Adds the imps to what a silo hosts.
///
/// ```
/// let builder = quark_testkit::imps::hosted(quark::Silo::builder("lab"));
/// # let _ = builder;
/// ```
#[must_use]
pub fn hosted(builder: SiloBuilder) -> SiloBuilder {
    builder.actor::<Imp>().actor::<Idler>().actor::<Hoarder>()
}

/// One that is stored.
#[derive(Default, Serialize, Deserialize)]
pub struct Imp {
    pokes: u64,
}

#[quark::actor(kind = "imp", durable)]
impl Imp {
    /// Counts, and so commits.
    pub fn poke(&mut self) -> u64 {
        self.pokes += 1;
        self.pokes
    }

    /// Pokes another by letter.
    pub fn write(&mut self, ctx: &ActorContext, to: String) -> Result<(), String> {
        let letter = ctx.actor::<Imp>(&to).poke();
        ctx.outbox().and_then(|outbox| outbox.send(letter)).map_err(|error| error.to_string())?;
        self.pokes += 1;
        Ok(())
    }

    /// Is poked once a second from now on.
    pub fn remind(&mut self, ctx: &ActorContext) -> Result<(), String> {
        let second = Duration::from_secs(1);
        let schedule = Schedule::every(ctx.wall_time(), second).map_err(|error| error.to_string())?;
        let reminder = Reminder::new("poke", schedule).missed(MissedPolicy::Skip);
        let reminders = ctx.reminders().map_err(|error| error.to_string())?;
        reminders.set(reminder, ctx.myself::<Self>().poke()).map_err(|error| error.to_string())
    }
}

/// One that is stored late.
#[derive(Default, Serialize, Deserialize)]
pub struct Hoarder {
    pokes: u64,
}

#[quark::actor(kind = "hoarder", write_behind = "1s")]
impl Hoarder {
    /// Counts, and commits some time later.
    pub fn poke(&mut self) -> u64 {
        self.pokes += 1;
        self.pokes
    }
}

/// One that is not.
#[derive(Default)]
pub struct Idler {
    ticks: u64,
    timers: u32,
}

#[quark::actor(kind = "idler")]
impl Idler {
    /// Takes its time.
    pub async fn dawdle(&mut self, ctx: &ActorContext, takes_us: u64) {
        ctx.sleep(Duration::from_micros(takes_us)).await;
    }

    /// Takes much; answers how much.
    pub fn swallow(&mut self, much: Bytes) -> u64 {
        much.len() as u64
    }

    /// Calls the next of these, until the last calls the first, who waits. Answers how often somebody was told that it
    /// closes a circle.
    pub async fn round(&mut self, ctx: &ActorContext, names: Vec<String>, at: u32) -> u64 {
        let next = (at as usize + 1) % names.len().max(1);
        let Some(name) = names.get(next).cloned() else { return 0 };
        match ctx.actor::<Idler>(&name).round(names, next as u32).await {
            Ok(told) => told,
            Err(CallError::Failed(Failure::Deadlock { .. })) => 1,
            Err(_) => 0,
        }
    }

    /// Sets so many timers for the same moment, again and again; answers how often any has ticked since it was last asked.
    pub fn wind(&mut self, ctx: &ActorContext, timers: u32, every_us: u64) -> u64 {
        for number in 0..timers.max(self.timers) {
            let name = format!("storm-{number}");
            if number >= timers {
                ctx.timers().cancel(&name);
            } else if number >= self.timers {
                let tick = ctx.myself::<Self>().tick();
                // maybe: it has as many timers as an actor may have.
                let _ = ctx.timers().every(&name, Duration::from_micros(every_us), tick);
            }
        }
        self.timers = timers;
        std::mem::take(&mut self.ticks)
    }

    /// A timer's tick.
    pub fn tick(&mut self) {
        self.ticks += 1;
    }
}
