//! How late the ticks of a silo's volatile timers are, and what they cost.
//!
//! Method: one process with one silo (gRPC without peers, SQLite for the membership) on one current_thread runtime,
//! mimalloc, release. `TIMERS` volatile actors have a timer each, whose method reads the clock and writes down how late
//! it runs: by the time that the timer was due on its grid, so that one late tick does not excuse the next.
//!
//! - *every second, spread*: periodic timers, set evenly over one second, so that so many ticks a second are due as there
//!   are timers. The first three seconds are not measured.
//! - *all at once*: as many timers that tick once, all due at the same instant. How late the last ones are is how long the
//!   silo takes for all of them.
//!
//! *Processor time* is what the runtime's thread spent, as the kernel counts it. It includes the actors' own turns.
//!
//! `ticks [--seconds N]`

use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use quark::core::Instant;
use quark::{ActorContext, Silo};
use quark_bench::{processor, real_silo};
use std::cell::RefCell;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const TIMERS: usize = 100_000;
const PERIOD: Duration = Duration::from_secs(1);
const TARGET_P999_MS: u64 = 100;

thread_local! {
    /// How late ticks were, in microseconds, and how many periods were left out. All actors run on one thread.
    static LATE: RefCell<(Histogram<u64>, u64)> =
        RefCell::new((Histogram::new_with_bounds(1, 60_000_000, 3).expect("bounds that there are"), 0));
}

/// Writes down how late its timer is.
#[derive(Default)]
struct Ticker {
    due: Instant,
}

#[quark::actor(kind = "ticker")]
impl Ticker {
    fn every(&mut self, ctx: &ActorContext) -> Result<(), String> {
        let tick = ctx.myself::<Self>().tick();
        ctx.timers().every("tick", PERIOD, tick).map_err(|e| e.to_string())?;
        self.due = ctx.timers().list()[0].due;
        Ok(())
    }

    fn once_at(&mut self, ctx: &ActorContext, at: Instant) -> Result<(), String> {
        ctx.timers().cancel("tick");
        let tick = ctx.myself::<Self>().tick();
        ctx.timers().after("once", at.since(ctx.now()), tick).map_err(|e| e.to_string())?;
        self.due = at;
        Ok(())
    }

    fn now(&self, ctx: &ActorContext) -> Instant {
        ctx.now()
    }

    fn tick(&mut self, ctx: &ActorContext) {
        let late = ctx.now().since(self.due);
        let skipped = (late.as_nanos() / PERIOD.as_nanos()) as u32;
        self.due += PERIOD * (1 + skipped);
        LATE.with_borrow_mut(|(histogram, missed)| {
            histogram.saturating_record(late.as_micros() as u64);
            *missed += u64::from(skipped);
        });
    }
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let seconds = match arguments.as_slice() {
        [] => 30,
        [flag, number] if flag == "--seconds" => number.parse().context("--seconds takes a number")?,
        _ => anyhow::bail!("ticks [--seconds N]"),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(measure(Duration::from_secs(seconds)))
}

async fn measure(time: Duration) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (silo, _transport) =
        real_silo::start(real_silo::sqlite(folder.path())?, "ticks", |silo| silo.actor::<Ticker>()).await?;
    let client = silo.client();
    let tickers: Vec<TickerRef> =
        (0..TIMERS).map(|number| client.actor::<Ticker>(&format!("ticker-{number}"))).collect();

    let start = std::time::Instant::now();
    for (number, ticker) in tickers.iter().enumerate() {
        let at = PERIOD * number as u32 / TIMERS as u32;
        if start.elapsed() < at {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        ticker.every().await?;
    }
    println!("{TIMERS} timers set in {:.1} s", start.elapsed().as_secs_f64());
    tokio::time::sleep(Duration::from_secs(3)).await;
    let spread = watch(&silo, time).await;
    let expected = TIMERS as u64 * time.as_secs();
    spread.print("every second, spread");
    ensure!(
        spread.late.len() + spread.missed + TIMERS as u64 / 10 >= expected,
        "ticks are lost: {expected} were due"
    );

    // Long enough for all of them to be set by then.
    let at = tickers[0].now().await? + Duration::from_secs(5);
    for ticker in &tickers {
        ticker.once_at(at).await?;
    }
    ensure!(tickers[0].now().await? < at, "the timers took too long to set");
    let burst = watch(&silo, Duration::from_secs(8)).await;
    burst.print("all at once");
    ensure!(burst.late.len() == TIMERS as u64, "each ticks once: {} ticks", burst.late.len());
    println!("target: p99.9 under {TARGET_P999_MS} ms, spread");
    silo.stop().await;
    Ok(())
}

struct Row {
    late: Histogram<u64>,
    missed: u64,
    cpu_ns: u64,
    turns: u64,
    lasted: Duration,
}

impl Row {
    fn print(&self, name: &str) {
        let ms = |quantile: f64| self.late.value_at_quantile(quantile) as f64 / 1000.0;
        println!(
            "{name:<22} {} ticks, late p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms, most {:.2} ms; {} missed; {:.1} % of a \
             processor, {} ns a turn",
            self.late.len(),
            ms(0.5),
            ms(0.99),
            ms(0.999),
            self.late.max() as f64 / 1000.0,
            self.missed,
            self.cpu_ns as f64 / self.lasted.as_nanos() as f64 * 100.0,
            self.cpu_ns / self.turns.max(1),
        );
    }
}

/// What happens within this time.
async fn watch(silo: &Silo, time: Duration) -> Row {
    LATE.with_borrow_mut(|(late, missed)| {
        late.reset();
        *missed = 0;
    });
    let (start, turns, cpu_ns) =
        (std::time::Instant::now(), silo.status().turns, processor::of_first_thread());
    tokio::time::sleep(time).await;
    let (lasted, cpu_ns, turns) =
        (start.elapsed(), processor::of_first_thread() - cpu_ns, silo.status().turns - turns);
    LATE.with_borrow(|(late, missed)| Row { late: late.clone(), missed: *missed, cpu_ns, turns, lasted })
}
