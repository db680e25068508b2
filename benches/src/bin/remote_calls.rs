//! How many calls a second one silo process makes on actors of another, and how long they take.
//!
//! Method: two processes on one machine, each a whole silo (gRPC over loopback, one SQLite file for the membership) on
//! one current_thread runtime, mimalloc, release. The caller asks `ACTORS` volatile actors, all on the other silo, to
//! echo 100 bytes: typed reference, envelope, batch, HTTP/2, mailbox, turn, and the same way back.
//!
//! - *full load*: so many callers as the row says, each in a loop. The latency of a saturated loop only restates its
//!   throughput; it is shown all the same.
//! - *half load*: half of the best full load, sent at a fixed rate whether answers come or not. A call's time counts
//!   from when it was due, so that a stall is not forgiven for delaying the calls behind it.
//!
//! `remote_calls [--json] [--seconds N]`

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use hdrhistogram::Histogram;
use quark::core::handshake::Hello;
use quark::core::ring::Ring;
use quark::core::{ActorId, SiloId, SiloName};
use quark::{Actor, Client, Silo};
use quark_env::{Clock, Entropy, Store};
use quark_grpc::GrpcTransport;
use quark_sqlite::{Options, SqliteStore};
use quark_tokio::{OsEntropy, TokioClock};
use serde_json::json;
use std::cell::{Cell, RefCell};
use std::io::Read;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::task::LocalSet;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ACTORS: usize = 1000;
const PAYLOAD_BYTES: usize = 100;
const IN_FLIGHT: [usize; 4] = [1, 64, 256, 1024];

/// Sends back what it gets.
#[derive(Default)]
struct Mirror;

#[quark::actor(kind = "mirror")]
impl Mirror {
    fn echo(&self, payload: Bytes) -> Bytes {
        payload
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
    let seconds = arguments.iter().position(|a| a == "--seconds").and_then(|at| arguments.get(at + 1));
    let seconds = seconds.map_or(Ok(5), |text| text.parse()).context("--seconds takes a number")?;
    let is_json = arguments.iter().any(|a| a == "--json");
    LocalSet::new().block_on(&runtime, measure(Duration::from_secs(seconds), is_json))
}

/// A silo in the folder, with a transport that has to be kept.
async fn start(data: &Path, name: &str) -> Result<(Silo, Arc<GrpcTransport>)> {
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(data.join("bench.sqlite"), Options::default())?);
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let builder = Silo::builder("bench").actor::<Mirror>();
    let clock: Arc<dyn Clock> = Arc::new(TokioClock::new(Handle::current()));
    let entropy: Arc<dyn Entropy> = Arc::new(OsEntropy);
    let newcomer = builder.newcomer(SiloName::new(name)?, &address.to_string());
    let config = builder.membership_config();
    let id = quark::membership::join_identity(&clock, &entropy, &store, config, &newcomer).await?;
    let hello = Hello::new("bench", id, builder.contract_digest());
    let transport = GrpcTransport::listen_on(listener, quark_grpc::Config::new(address, hello))?;
    let env = quark_tokio::world(&Handle::current(), transport.clone(), store);
    Ok((builder.start(env, &address.to_string()).await?, transport))
}

/// The other process: serves until its standard input ends with its parent.
async fn serve(data: &Path) -> Result<()> {
    let (silo, _transport) = start(data, "host").await?;
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    anyhow::bail!("the silo stopped itself: {}", silo.wait_stopped().await)
}

async fn measure(time: Duration, is_json: bool) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut host = Command::new(std::env::current_exe()?)
        .arg("serve")
        .arg(folder.path())
        .stdin(Stdio::piped())
        .spawn()
        .context("cannot start the other process")?;
    let (silo, _transport) = start(folder.path(), "caller").await?;
    let host_id = other_silo(&silo).await?;
    let bench = Bench { mirrors: mirrors_on(&silo, host_id), payload: Bytes::from(vec![7; PAYLOAD_BYTES]) };
    let bench = Rc::new(bench);

    looping(&bench, 64, Duration::from_secs(1)).await;
    let mut rows = Vec::new();
    for in_flight in IN_FLIGHT {
        let row = looping(&bench, in_flight, time).await;
        rows.push((format!("full load, {in_flight} in flight"), row));
    }
    let best = rows.iter().map(|(_, row)| row.per_second).fold(0.0, f64::max);
    rows.push(("half load, paced".into(), paced(&bench, best / 2.0, time).await));

    for (name, row) in &rows {
        ensure!(row.failures == 0, "{name}: {} calls failed", row.failures);
        let (p50, p99) = (row.took.value_at_quantile(0.5), row.took.value_at_quantile(0.99));
        if is_json {
            let calls = row.per_second as u64;
            println!("{}", json!({ "load": name, "calls_per_s": calls, "p50_us": p50, "p99_us": p99 }));
        } else {
            println!("{name:<28} {:>9.0} calls/s   p50 {p50:>6} us   p99 {p99:>6} us", row.per_second);
        }
    }
    if !is_json {
        println!("targets: 100000 calls/s at full load, p99 under 5000 us at half load");
    }
    drop(host.stdin.take());
    host.wait()?;
    Ok(())
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
    failures: u64,
}

/// What the callers of one row write down.
struct Notes {
    took: RefCell<Histogram<u64>>,
    failures: Cell<u64>,
    open: Cell<usize>,
}

impl Notes {
    fn new() -> Rc<Self> {
        let took = Histogram::new_with_bounds(1, 60_000_000, 3).expect("bounds that there are");
        Rc::new(Self { took: RefCell::new(took), failures: Cell::new(0), open: Cell::new(0) })
    }

    fn ended(&self, since: Instant, is_good: bool) {
        self.took.borrow_mut().saturating_record(since.elapsed().as_micros() as u64);
        self.failures.set(self.failures.get() + u64::from(!is_good));
    }

    fn row(&self, lasted: Duration) -> Row {
        let took = self.took.borrow().clone();
        let per_second = took.len() as f64 / lasted.as_secs_f64();
        Row { per_second, took, failures: self.failures.get() }
    }
}

/// So many callers, each calling as soon as it is answered.
async fn looping(bench: &Rc<Bench>, in_flight: usize, time: Duration) -> Row {
    let (notes, start) = (Notes::new(), Instant::now());
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
async fn paced(bench: &Rc<Bench>, per_second: f64, time: Duration) -> Row {
    let (notes, start) = (Notes::new(), Instant::now());
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
