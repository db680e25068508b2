//! How many calls a second one silo process makes on actors of another, and how long they take.
//!
//! Method: two processes on one machine, each a whole silo (gRPC over loopback, one SQLite file for the membership) on
//! one current_thread runtime, mimalloc, release. The caller asks `ACTORS` volatile actors, all on the other silo (they
//! are asked where they live first), to echo 100 bytes: typed reference, envelope, batch, HTTP/2, mailbox, turn, and the
//! same way back. A round measures each row once; a figure is the median of the rounds, with the least and the most.
//!
//! - *frames*: the transport alone, on connections of its own between the same two processes: 100 bytes there and back,
//!   256 in flight. A busy machine slows both, so the share of it that calls reach says more than either.
//! - *full load*: so many callers as the row says, each in a loop. The latency of a saturated loop only restates its
//!   throughput; it is shown all the same.
//! - *half load*: half of the round's best full load, sent at a fixed rate whether answers come or not. A call's time
//!   counts from when it was due, so that a stall is not forgiven for delaying the calls behind it; the millisecond
//!   of the sender's timer is part of it. *half target*: the same at half of the throughput that is the target.
//!
//! *Processor time a call* is what the runtimes' threads of both processes spent, as the kernel counts it: it hardly depends on who else
//! uses the machine, so changes of the code are judged by it.
//!
//! `remote_calls [--json] [--rounds N] [--seconds N]`; figures are in benches/README.md.

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use hdrhistogram::Histogram;
use quark::core::handshake::Hello;
use quark::core::ring::Ring;
use quark::core::{ActorId, Generation, SiloId, SiloName};
use quark::{Actor, ActorContext, Client, Silo};
use quark_bench::{frames, real_silo};
use quark_env::Transport;
use quark_grpc::GrpcTransport;
use serde_json::json;
use std::cell::{Cell, RefCell};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::LocalSet;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ACTORS: usize = 1000;
const PAYLOAD_BYTES: usize = 100;
const IN_FLIGHT: [usize; 4] = [1, 64, 256, 1024];
const FRAMES_IN_FLIGHT: usize = 256;
const TARGET_PER_SECOND: f64 = 100_000.0;

/// Sends back what it gets.
#[derive(Default)]
struct Mirror;

#[quark::actor(kind = "mirror")]
impl Mirror {
    fn echo(&self, payload: Bytes) -> Bytes {
        payload
    }

    fn home(&self, ctx: &ActorContext) -> SiloId {
        ctx.silo()
    }
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    if let [flag, data] = arguments.as_slice()
        && flag == "serve"
    {
        return runtime.block_on(serve(Path::new(data)));
    }
    let number = |flag: &str, default: u64| {
        let text = arguments.iter().position(|a| a == flag).and_then(|at| arguments.get(at + 1));
        text.map_or(Ok(default), |text| text.parse()).with_context(|| format!("{flag} takes a number"))
    };
    let (rounds, time) = (number("--rounds", 5)?, Duration::from_secs(number("--seconds", 2)?));
    let rows = LocalSet::new().block_on(&runtime, measure(rounds, time))?;
    print(&rows, arguments.iter().any(|a| a == "--json"));
    Ok(())
}

/// A transport without a silo, for the frames.
fn bare(name: &str) -> Result<Arc<GrpcTransport>> {
    let hello = Hello::new("frames", SiloId::new(SiloName::new(name)?, Generation(1)), 0);
    Ok(GrpcTransport::bind(quark_grpc::Config::new(([127, 0, 0, 1], 0).into(), hello))?)
}

/// The other process: serves until its standard input ends with its parent.
async fn serve(data: &Path) -> Result<()> {
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    let frames = bare("echo")?;
    println!("{}", frames.listen_addr().context("a silo listens")?);
    let (silo, _transport) =
        real_silo::start(real_silo::sqlite(data)?, "host", |silo| silo.actor::<Mirror>()).await?;
    tokio::select! {
        reason = silo.wait_stopped() => anyhow::bail!("the silo stopped itself: {reason}"),
        end = frames::echo(&frames) => Ok(end?),
    }
}

/// All rows, each with what every round gave.
async fn measure(rounds: u64, time: Duration) -> Result<Vec<(String, Vec<Row>)>> {
    let folder = tempfile::tempdir()?;
    let mut host = Command::new(std::env::current_exe()?)
        .arg("serve")
        .arg(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start the other process")?;
    let mut address = String::new();
    BufReader::new(host.stdout.take().context("piped")?).read_line(&mut address)?;
    let (silo, _transport) =
        real_silo::start(real_silo::sqlite(folder.path())?, "caller", |silo| silo.actor::<Mirror>()).await?;
    let host_id = other_silo(&silo).await?;
    let mirrors = mirrors_on(&silo, host_id);
    for mirror in &mirrors {
        let home = mirror.home().await?;
        ensure!(home == host_id, "{} lives on {home}, and not on {host_id}", mirror.id());
    }
    let bench = Rc::new(Bench { mirrors, payload: Bytes::from(vec![7; PAYLOAD_BYTES]) });
    let transport = bare("ping")?;
    let peer = transport.identify(address.trim()).await?;
    transport.learn(peer, address.trim());

    looping(&bench, 64, Notes::new(host.id()), Duration::from_secs(1)).await;
    let mut rows: Vec<(String, Vec<Row>)> = Vec::new();
    let mut add = |name: String, row: Row| match rows.iter_mut().find(|(n, _)| *n == name) {
        Some((_, all)) => all.push(row),
        None => rows.push((name, vec![row])),
    };
    for _ in 0..rounds {
        let frames = frames::round_trips(&transport, peer, &bench.payload, FRAMES_IN_FLIGHT, time).await?;
        add("frames".into(), Row { per_second: frames, ..Notes::new(host.id()).row(time) });
        let mut best = 0.0_f64;
        for in_flight in IN_FLIGHT {
            let row = looping(&bench, in_flight, Notes::new(host.id()), time).await;
            best = best.max(row.per_second);
            add(format!("full load, {in_flight} in flight"), row);
        }
        add("half load, paced".into(), paced(&bench, best / 2.0, Notes::new(host.id()), time).await);
        add(
            "half target, paced".into(),
            paced(&bench, TARGET_PER_SECOND / 2.0, Notes::new(host.id()), time).await,
        );
    }
    for (name, rows) in &rows {
        let failures: u64 = rows.iter().map(|row| row.failures).sum();
        ensure!(failures == 0, "{name}: {failures} calls failed");
    }
    drop(host.stdin.take());
    host.wait()?;
    Ok(rows)
}

fn print(rows: &[(String, Vec<Row>)], is_json: bool) {
    let spread = |rows: &[Row], figure: &dyn Fn(&Row) -> u64| {
        let mut figures: Vec<u64> = rows.iter().map(figure).collect();
        figures.sort();
        [figures[figures.len() / 2], figures[0], figures[figures.len() - 1]]
    };
    let text = |[median, least, most]: [u64; 3]| format!("{median} ({least}..{most})");
    if !is_json {
        println!(
            "{:<28} {:>24} {:>18} {:>20} {:>20}",
            "median (least..most)", "round trips/s", "p50 us", "p99 us", "cpu ns a call"
        );
    }
    for (name, rows) in rows {
        let per_second = spread(rows, &|row| row.per_second as u64);
        let p50 = spread(rows, &|row| row.took.value_at_quantile(0.5));
        let p99 = spread(rows, &|row| row.took.value_at_quantile(0.99));
        let cpu = spread(rows, &|row| row.cpu_ns);
        if is_json {
            println!(
                "{}",
                json!({ "row": name, "per_s": per_second, "p50_us": p50, "p99_us": p99, "cpu_ns": cpu })
            );
        } else if name == "frames" {
            println!("{name:<28} {:>24}", text(per_second));
        } else {
            println!(
                "{name:<28} {:>24} {:>18} {:>20} {:>20}",
                text(per_second),
                text(p50),
                text(p99),
                text(cpu)
            );
        }
    }
    if !is_json {
        println!("targets: {TARGET_PER_SECOND:.0} calls/s at full load, p99 under 5000 us at half load");
    }
}

/// Waits until both silos are active; returns the other one's id.
async fn other_silo(silo: &Silo) -> Result<SiloId> {
    let give_up = Instant::now() + Duration::from_secs(30);
    loop {
        let view = silo.view();
        if let Some(other) = view.active().find(|member| member.id != silo.id()) {
            return Ok(other.id);
        }
        ensure!(Instant::now() < give_up, "the other silo did not join");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// References to actors that the ring places on the other silo: the rest would be local calls.
fn mirrors_on(silo: &Silo, host: SiloId) -> Vec<MirrorRef> {
    let (ring, client): (Arc<Ring>, Client) = (Ring::shared_of_view(&silo.view()), silo.client());
    let keys = (0..).map(|number| format!("mirror-{number}"));
    let there = |key: &String| {
        let id = ActorId::new(Mirror::KIND, key).expect("a valid id");
        ring.owner(id.point()) == Some(host)
    };
    keys.filter(there).take(ACTORS).map(|key| client.actor::<Mirror>(&key)).collect()
}

struct Bench {
    mirrors: Vec<MirrorRef>,
    payload: Bytes,
}

impl Bench {
    async fn call(&self, number: usize) -> bool {
        let echo = self.mirrors[number % ACTORS].echo(self.payload.clone()).await;
        echo.is_ok_and(|echo| echo == self.payload)
    }
}

struct Row {
    per_second: f64,
    took: Histogram<u64>,
    /// Processor time of both processes for each call.
    cpu_ns: u64,
    failures: u64,
}

/// What the callers of one row write down.
struct Notes {
    took: RefCell<Histogram<u64>>,
    failures: Cell<u64>,
    open: Cell<usize>,
    host_pid: u32,
    cpu_ns_before: u64,
}

impl Notes {
    fn new(host_pid: u32) -> Rc<Self> {
        let took = Histogram::new_with_bounds(1, 60_000_000, 3).expect("bounds that there are");
        Rc::new(Self {
            took: RefCell::new(took),
            failures: Cell::new(0),
            open: Cell::new(0),
            host_pid,
            cpu_ns_before: cpu_ns_of_both(host_pid),
        })
    }

    fn ended(&self, since: Instant, is_good: bool) {
        self.took.borrow_mut().saturating_record(since.elapsed().as_micros() as u64);
        self.failures.set(self.failures.get() + u64::from(!is_good));
    }

    fn row(&self, lasted: Duration) -> Row {
        let took = self.took.borrow().clone();
        let per_second = took.len() as f64 / lasted.as_secs_f64();
        let cpu_ns = (cpu_ns_of_both(self.host_pid) - self.cpu_ns_before) / took.len().max(1);
        Row { per_second, took, cpu_ns, failures: self.failures.get() }
    }
}

/// What this process and the other one have run so far. Zero where the kernel does not count it.
fn cpu_ns_of_both(host_pid: u32) -> u64 {
    let of = |process: &str| {
        let text = std::fs::read_to_string(format!("/proc/{process}/schedstat")).unwrap_or_default();
        text.split(' ').next().and_then(|ns| ns.parse::<u64>().ok()).unwrap_or(0)
    };
    of("self") + of(&host_pid.to_string())
}

/// So many callers, each calling as soon as it is answered.
async fn looping(bench: &Rc<Bench>, in_flight: usize, notes: Rc<Notes>, time: Duration) -> Row {
    let start = Instant::now();
    let callers: Vec<_> = (0..in_flight)
        .map(|caller| {
            let (bench, notes) = (bench.clone(), notes.clone());
            tokio::task::spawn_local(async move {
                let mut number = caller;
                while start.elapsed() < time {
                    let since = Instant::now();
                    let is_good = bench.call(number).await;
                    notes.ended(since, is_good);
                    number += in_flight;
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.expect("a caller does not panic");
    }
    notes.row(start.elapsed())
}

/// So many calls a second, whether answers come or not.
async fn paced(bench: &Rc<Bench>, per_second: f64, notes: Rc<Notes>, time: Duration) -> Row {
    let start = Instant::now();
    let mut sent = 0;
    let mut ticks = tokio::time::interval(Duration::from_millis(1));
    while start.elapsed() < time {
        ticks.tick().await;
        let due = (start.elapsed().as_secs_f64() * per_second) as usize;
        while sent < due {
            let due_at = start + Duration::from_secs_f64(sent as f64 / per_second);
            let (bench, notes, number) = (bench.clone(), notes.clone(), sent);
            notes.open.set(notes.open.get() + 1);
            tokio::task::spawn_local(async move {
                let is_good = bench.call(number).await;
                notes.ended(due_at, is_good);
                notes.open.set(notes.open.get() - 1);
            });
            sent += 1;
        }
    }
    let lasted = start.elapsed();
    while notes.open.get() > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    notes.row(lasted)
}
