//! What reminders cost on a real Redis: that many wait must not make those that are due dearer.
//!
//! Method: a silo in this process (gRPC without peers, a current_thread runtime, mimalloc, release) on a Redis 7 of its own,
//! without persistence, on the same machine. Reminders are registered, ten by each actor, due in a year and later. At each
//! power of ten up to `N` (a million) two things are measured:
//!
//! - *idle*: the processor time of the silo's thread and of Redis over ten seconds in which nothing is due;
//! - *a tick*: 1000 reminders more, due within one second of each other; processor time of both for each, and how late they
//!   are.
//!
//! `reminders [--count N]`

use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use quark::core::WallTime;
use quark::{ActorContext, Deserialize, Reminder, Schedule, Serialize};
use quark_bench::{processor, real_silo};
use quark_redis::{Options, RedisStore};
use std::cell::RefCell;
use std::future::{Future, IntoFuture};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BY_EACH: usize = 10;
const DUE_AT_ONCE: u64 = 1000;
const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

thread_local! {
    /// How late reminders were, in microseconds. All actors run on one thread.
    static LATE: RefCell<Histogram<u64>> =
        RefCell::new(Histogram::new_with_bounds(1, 600_000_000, 3).expect("bounds that there are"));
}

/// Is reminded.
#[derive(Default, Serialize, Deserialize)]
struct Sleeper {
    woken: u64,
}

#[quark::actor(kind = "sleeper", durable)]
impl Sleeper {
    /// Reminders of these names, each due a millisecond after the one before.
    fn at(&mut self, ctx: &ActorContext, names: Vec<String>, first: WallTime) -> Result<(), String> {
        for (name, ms) in names.into_iter().zip(0..) {
            let at = first.after(Duration::from_millis(ms));
            let wake = ctx.myself::<Self>().wake();
            let once = Schedule::once(at).map_err(|e| e.to_string())?;
            let reminder = Reminder::new(name, once);
            ctx.reminders().and_then(|all| all.set(reminder, wake)).map_err(|e| e.to_string())?;
        }
        Ok(())
    }

    fn wake(&mut self, ctx: &ActorContext) {
        self.woken += 1;
        let late = ctx.tick().map_or(0, |tick| ctx.wall_time().0 - tick.due.0);
        LATE.with_borrow_mut(|all| all.saturating_record(u64::try_from(late / 1000).unwrap_or(0)));
    }
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [] => measure(1_000_000),
        ["--count", count] => measure(count.parse().context("--count takes a number")?),
        _ => anyhow::bail!("reminders [--count N]"),
    }
}

/// A Redis of this process, killed with it.
struct Server {
    child: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Server {
    fn start() -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let folder = tempfile::tempdir()?;
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--save", "", "--appendonly", "no", "--dir"])
            .arg(folder.path())
            .stdout(Stdio::null())
            .spawn()
            .context("redis-server cannot be started: is it installed?")?;
        Ok(Self { child, port, _folder: folder })
    }

    fn open(&self) -> Result<RedisStore> {
        let url = format!("redis://127.0.0.1:{}", self.port);
        let start = Instant::now();
        loop {
            match RedisStore::open(&url, Options::default()) {
                Err(_) if start.elapsed() < Duration::from_secs(5) => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                opened => return Ok(opened?),
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn measure(count: u64) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let server = Server::start()?;
    let store = Arc::new(server.open()?);
    runtime.block_on(async {
        let (silo, _transport) =
            real_silo::start(store, "reminders", |silo| silo.actor::<Sleeper>()).await?;
        let client = silo.client();
        let mut registered = 0;
        for step in (3..).map(|exponent| 10u64.pow(exponent)).take_while(|step| *step <= count) {
            let start = Instant::now();
            let more = step - registered;
            register(&client, registered, step).await?;
            registered = step;
            let rate = more as f64 / start.elapsed().as_secs_f64();
            tokio::time::sleep(Duration::from_secs(5)).await;
            let idle = Cost::of(&server, tokio::time::sleep(Duration::from_secs(10))).await.1;
            let late = fire_a_thousand(&client, &server, step).await?;
            println!(
                "{registered:>9} registered ({rate:>6.0}/s): idle {:.3} + {:.3} % of a processor; a tick {:.0} + {:.0} us, \
                 late p50 {:.1} p99 {:.1} ms",
                idle.silo_ns as f64 / 1e10 * 100.0,
                idle.redis_ns as f64 / 1e10 * 100.0,
                late.cost.silo_ns as f64 / 1e3 / DUE_AT_ONCE as f64,
                late.cost.redis_ns as f64 / 1e3 / DUE_AT_ONCE as f64,
                late.late.value_at_quantile(0.5) as f64 / 1e3,
                late.late.value_at_quantile(0.99) as f64 / 1e3,
            );
        }
        println!("the first figure of each pair is the silo's thread, the second Redis");
        silo.stop().await;
        Ok(())
    })
}

/// Registers those from `from` to `to`, ten by each actor, a hundred actors at a time.
async fn register(client: &quark::Client, from: u64, to: u64) -> Result<()> {
    let now = wall_now();
    let mut under_way = std::collections::VecDeque::new();
    for first in (from..to).step_by(BY_EACH) {
        let sleeper = client.actor::<Sleeper>(&format!("far-{first}"));
        let names = (0..BY_EACH).map(|n| n.to_string()).collect();
        let due = now.after(YEAR + Duration::from_millis(first * 10));
        under_way.push_back(tokio::spawn(sleeper.at(names, due).into_future()));
        if under_way.len() >= 100 {
            under_way.pop_front().expect("there are a hundred").await?.map_err(|e| anyhow::anyhow!("{e}"))?;
        }
    }
    for left in under_way {
        left.await?.map_err(|e| anyhow::anyhow!("{e}"))?;
    }
    Ok(())
}

struct Fired {
    cost: Cost,
    late: Histogram<u64>,
}

async fn fire_a_thousand(client: &quark::Client, server: &Server, round: u64) -> Result<Fired> {
    LATE.with_borrow_mut(Histogram::reset);
    let due = wall_now().after(Duration::from_secs(10));
    for number in 0..DUE_AT_ONCE / BY_EACH as u64 {
        let sleeper = client.actor::<Sleeper>(&format!("near-{round}-{number}"));
        let names = (0..BY_EACH).map(|n| n.to_string()).collect();
        let due = due.after(Duration::from_millis(number * 9));
        sleeper.at(names, due).await.map_err(|e| anyhow::anyhow!("{e}"))?;
    }
    let left = due.0.saturating_sub(wall_now().0).max(0) as u64;
    tokio::time::sleep(Duration::from_nanos(left).saturating_sub(Duration::from_millis(500))).await;
    let ((), cost) = Cost::of(server, async {
        for _ in 0..300 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            if LATE.with_borrow(Histogram::len) >= DUE_AT_ONCE {
                return;
            }
        }
    })
    .await;
    let late = LATE.with_borrow(Clone::clone);
    ensure!(late.len() == DUE_AT_ONCE, "each fires once: {} did", late.len());
    Ok(Fired { cost, late })
}

fn wall_now() -> WallTime {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    WallTime(since.map_or(0, |since| since.as_nanos() as i64))
}

/// Processor time.
struct Cost {
    silo_ns: u64,
    redis_ns: u64,
}

impl Cost {
    async fn of<T>(server: &Server, what: impl Future<Output = T>) -> (T, Self) {
        let pid = server.child.id();
        let (silo, redis) = (processor::of_first_thread(), processor::of_process(pid));
        let result = what.await;
        let cost = Self {
            silo_ns: processor::of_first_thread() - silo,
            redis_ns: processor::of_process(pid) - redis,
        };
        (result, cost)
    }
}
