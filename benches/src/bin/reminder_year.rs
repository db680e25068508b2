//! How long a test takes in which ten thousand actors are reminded every month for a year.
//!
//! Method: a simulated silo and its store (`quark_testkit::travel`), one core, release. Each actor has one reminder a month,
//! by cron in a time zone with daylight saving; they are spread over the month. Wall time of the year, without the time in
//! which they are set.
//!
//! `reminder_year`

use anyhow::{Result, anyhow, ensure};
use quark::{ActorContext, Deserialize, Reminder, Schedule, Serialize};
use quark_testkit::travel::TimeTravel;
use std::time::{Duration, Instant};

const ACTORS: u32 = 10_000;
const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// Is reminded.
#[derive(Default, Serialize, Deserialize)]
struct Sleeper {
    woken: u32,
}

#[quark::actor(kind = "sleeper", durable)]
impl Sleeper {
    fn each_month(&mut self, ctx: &ActorContext, minute: u32) -> Result<(), String> {
        let cron = format!("{} {} {} * *", minute % 60, minute / 60 % 24, 1 + minute / 1440 % 28);
        let monthly = Schedule::cron(&cron, "Europe/Berlin").map_err(|e| e.to_string())?;
        let wake = ctx.myself::<Self>().wake();
        ctx.reminders()
            .and_then(|all| all.set(Reminder::new("wake", monthly), wake))
            .map_err(|e| e.to_string())
    }

    fn wake(&mut self) {
        self.woken += 1;
    }

    fn woken(&self) -> u32 {
        self.woken
    }
}

fn main() -> Result<()> {
    ensure!(std::env::args().len() == 1, "reminder_year takes no arguments");
    let mut test = TimeTravel::new(|silo| silo.actor::<Sleeper>());
    let client = test.client();
    let sleeper = |number: u32| client.actor::<Sleeper>(&number.to_string());
    let start = Instant::now();
    for number in 0..ACTORS {
        test.run(sleeper(number).each_month(number * 4)).map_err(|error| anyhow!("{error}"))?;
    }
    println!("{ACTORS} reminders set in {:.1} s", start.elapsed().as_secs_f64());
    let start = Instant::now();
    test.advance(YEAR);
    let took = start.elapsed();
    let mut fired = 0;
    for number in 0..ACTORS {
        let woken = test.run(sleeper(number).woken()).map_err(|error| anyhow!("{error}"))?;
        ensure!(woken == 12, "sleeper {number} was woken {woken} times");
        fired += woken;
    }
    println!(
        "a year: {:.1} s of wall time, {fired} fired, {:.0} a second (target: under 10 s)",
        took.as_secs_f64(),
        f64::from(fired) / took.as_secs_f64()
    );
    Ok(())
}
