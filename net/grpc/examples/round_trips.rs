//! Raw round trips between two processes: what the transport alone costs, without a silo on either side.
//!
//! `cargo run --release -p quark-grpc --example round_trips` starts a second process of itself that sends every frame
//! back, and prints a table. Each process has one current_thread runtime. Per row, `in flight` frames of 100 bytes are
//! kept under way for two seconds. The latency of a saturated loop only restates its throughput, so the paced rows send
//! at a fixed rate, whether answers come or not.

use bytes::{BufMut, Bytes, BytesMut};
use hdrhistogram::Histogram;
use quark_core::handshake::Hello;
use quark_core::wire::Lane;
use quark_core::{Generation, SiloId, SiloName};
use quark_env::Transport;
use quark_env::transport::{Incoming, SendError};
use quark_grpc::{Config, GrpcTransport};
use std::error::Error;
use std::future::poll_fn;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match std::env::args().nth(1).as_deref() {
        Some("echo") => runtime.block_on(echo()),
        None => runtime.block_on(measure()),
        Some(other) => Err(format!("unknown argument `{other}`: run without any").into()),
    }
}

fn silo(name: &str) -> Outcome<GrpcSilo> {
    let id = SiloId::new(SiloName::new(name)?, Generation(1));
    Ok(GrpcTransport::bind(Config::new(
        SocketAddr::from(([127, 0, 0, 1], 0)),
        Hello::new("round-trips", id, 0),
    ))?)
}

type GrpcSilo = std::sync::Arc<GrpcTransport>;

/// The second process: sends every frame back until its standard input ends with its parent.
async fn echo() -> Outcome<()> {
    let transport = silo("echo")?;
    println!("{}", transport.listen_addr().ok_or("a silo listens")?);
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    let mut received = Vec::new();
    while receive(&transport, &mut received).await > 0 {
        for incoming in received.drain(..) {
            if let Incoming::Frame { from, lane, bytes } = incoming {
                transport.try_send(from, lane, bytes)?;
            }
        }
    }
    Ok(())
}

async fn receive(transport: &GrpcTransport, into: &mut Vec<Incoming>) -> usize {
    poll_fn(|cx| transport.poll_recv(cx, into, RECEIVE_MAX)).await
}

async fn measure() -> Outcome<()> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg("echo")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut address = String::new();
    BufReader::new(child.stdout.take().ok_or("piped")?).read_line(&mut address)?;
    let transport = silo("ping")?;
    let peer = transport.identify(address.trim()).await?;
    transport.learn(peer, address.trim());
    let ping = Ping { transport, peer };

    ping.closed_loop(64, WARM_UP).await?;
    println!("frames of {FRAME_BYTES} bytes, two processes, one current_thread runtime each");
    println!(
        "{:<20} {:>13} {:>9} {:>9} {:>9} {:>12}",
        "", "round trips/s", "p50 us", "p99 us", "max us", "late p99 us"
    );
    for in_flight in [1, 16, 64, 256, 1024] {
        ping.closed_loop(in_flight, ROW).await?.print(&format!("{in_flight} in flight"));
    }
    for per_second in [50_000, 100_000, 200_000, 400_000] {
        ping.paced(f64::from(per_second), ROW).await?.print(&format!("paced at {per_second}/s"));
    }
    drop(child.stdin.take());
    child.wait()?;
    Ok(())
}

struct Ping {
    transport: GrpcSilo,
    peer: SiloId,
}

struct Row {
    latency_ns: Histogram<u64>,
    /// How long after it was due a paced frame was sent: the part of its latency that the timer and the scheduler of
    /// this machine cost, not the transport.
    late_ns: Histogram<u64>,
    elapsed: Duration,
}

impl Ping {
    /// Keeps a number of frames under way: each that comes back is sent again.
    async fn closed_loop(&self, in_flight: usize, lasting: Duration) -> Outcome<Row> {
        let mut row = Row::new()?;
        let start = Instant::now();
        for _ in 0..in_flight {
            self.send(start)?;
        }
        let mut under_way = in_flight;
        let mut received = Vec::new();
        while under_way > 0 {
            receive(&self.transport, &mut received).await;
            let now = start.elapsed();
            for incoming in received.drain(..) {
                row.record(&incoming, now)?;
                under_way -= 1;
                if now < lasting {
                    self.send(start)?;
                    under_way += 1;
                }
            }
        }
        row.elapsed = start.elapsed();
        Ok(row)
    }

    /// Sends at a fixed rate, whether answers come or not. Latency counts from when a frame was due, so that a stall
    /// is charged to every frame that it delays; the timer's resolution of a millisecond is part of it.
    async fn paced(&self, per_second: f64, lasting: Duration) -> Outcome<Row> {
        let mut row = Row::new()?;
        let start = Instant::now();
        let total = (per_second * lasting.as_secs_f64()) as u64;
        let (mut sent, mut answered) = (0, 0);
        let mut received = Vec::new();
        let mut tick = tokio::time::interval(Duration::from_millis(1));
        while answered < total {
            tokio::select! {
                biased;
                _ = receive(&self.transport, &mut received) => {
                    let now = start.elapsed();
                    for incoming in received.drain(..) {
                        row.record(&incoming, now)?;
                        answered += 1;
                    }
                }
                _ = tick.tick(), if sent < total => {}
            }
            let now = start.elapsed();
            let due = ((now.as_secs_f64() * per_second) as u64).min(total);
            for number in sent..due {
                let at = Duration::from_secs_f64(number as f64 / per_second);
                row.late_ns.record(now.saturating_sub(at).as_nanos() as u64 + 1)?;
                self.send_stamped(at)?;
            }
            sent = due;
        }
        row.elapsed = start.elapsed();
        Ok(row)
    }

    fn send(&self, start: Instant) -> Result<(), SendError> {
        self.send_stamped(start.elapsed())
    }

    fn send_stamped(&self, at: Duration) -> Result<(), SendError> {
        let mut frame = BytesMut::zeroed(FRAME_BYTES);
        (&mut frame[..8]).put_u64_le(at.as_nanos() as u64);
        self.transport.try_send(self.peer, Lane::User, frame.freeze())
    }
}

impl Row {
    fn new() -> Outcome<Self> {
        Ok(Self { latency_ns: Histogram::new(3)?, late_ns: Histogram::new(3)?, elapsed: Duration::ZERO })
    }

    fn record(&mut self, incoming: &Incoming, now: Duration) -> Outcome<()> {
        let Incoming::Frame { bytes, .. } = incoming else {
            return Err(format!("the run is void: {incoming:?}").into());
        };
        let stamp = <[u8; 8]>::try_from(&Bytes::slice(bytes, ..8)[..])?;
        self.latency_ns.record((now.as_nanos() as u64).saturating_sub(u64::from_le_bytes(stamp)).max(1))?;
        Ok(())
    }

    fn per_second(&self) -> f64 {
        self.latency_ns.len() as f64 / self.elapsed.as_secs_f64()
    }

    fn print(&self, name: &str) {
        let us = |ns: u64| ns as f64 / 1000.0;
        println!(
            "{name:<20} {:>13.0} {:>9.0} {:>9.0} {:>9.0} {:>12.0}",
            self.per_second(),
            us(self.latency_ns.value_at_quantile(0.5)),
            us(self.latency_ns.value_at_quantile(0.99)),
            us(self.latency_ns.max()),
            us(self.late_ns.value_at_quantile(0.99)),
        );
    }
}

const FRAME_BYTES: usize = 100;
const RECEIVE_MAX: usize = 4096;
const WARM_UP: Duration = Duration::from_millis(500);
const ROW: Duration = Duration::from_secs(2);
