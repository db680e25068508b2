//! One silo process.

use crate::bank;
use crate::cli::SiloFlags;
use crate::report::Report;
use crate::settings::Settings;
use crate::signals::{StopSignals, end_of_input};
use crate::storage;
use anyhow::{Context, Result, anyhow};
use quark::{Silo, SiloBuilder};
use quark_core::handshake::Hello;
use quark_core::{SiloName, ViewVersion};
use quark_env::{Clock, Env};
use quark_grpc::GrpcTransport;
use quark_tokio::{OsEntropy, TokioClock};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;

/// Who acts in a silo process, and what time it is there.
pub struct Cast {
    /// Adds the kinds of actors that it hosts, once the settings are in.
    pub describe: Box<dyn FnOnce(SiloBuilder) -> SiloBuilder>,
    /// Its clocks.
    pub clock: Arc<dyn Clock>,
}

impl Cast {
    /// The sample bank, by the clocks of the machine.
    pub(crate) fn of_bank(runtime: &Handle) -> Self {
        Self { describe: Box::new(bank::register), clock: Arc::new(TokioClock::new(runtime.clone())) }
    }
}

/// Runs a silo until it is told to stop, or has to.
///
/// Its exit code is 0 after an orderly stop, [`EXIT_NOT_STARTED`] if it never served, and [`EXIT_HAD_TO_STOP`] if the
/// cluster went on without it.
pub async fn run(flags: SiloFlags, cast: Cast) -> ExitCode {
    let mut stop = match Stop::catch() {
        Ok(stop) => stop,
        Err(error) => return failed(&error, EXIT_NOT_STARTED),
    };
    let started = tokio::select! {
        started = start(&flags, cast) => started,
        () = stop.asked() => return ExitCode::SUCCESS,
    };
    let (silo, transport) = match started {
        Ok(started) => started,
        Err(error) => return failed(&error, EXIT_NOT_STARTED),
    };
    let reporting = tokio::spawn(report(silo.clone()));
    let outcome = tokio::select! {
        reason = silo.wait_stopped() => Err(anyhow!("the silo stopped itself: {reason}")),
        () = stop.asked() => {
            silo.stop().await;
            Ok(())
        }
    };
    reporting.abort();
    // Its last word: what it held, and what it believed, when it stopped.
    status(&silo).print();
    transport.shutdown().await;
    match outcome {
        Ok(()) => {
            Report::Left.print();
            ExitCode::SUCCESS
        }
        Err(error) => failed(&error, EXIT_HAD_TO_STOP),
    }
}

/// The ways in which a silo process is asked to stop.
struct Stop {
    signals: StopSignals,
    input_ended: Arc<tokio::sync::Notify>,
}

impl Stop {
    fn catch() -> Result<Self> {
        let signals = StopSignals::catch().context("cannot catch signals")?;
        Ok(Self { signals, input_ended: end_of_input() })
    }

    async fn asked(&mut self) {
        tokio::select! {
            () = self.signals.next() => {}
            () = self.input_ended.notified() => {}
        }
    }
}

async fn start(flags: &SiloFlags, cast: Cast) -> Result<(Silo, Arc<GrpcTransport>)> {
    let settings = Settings::of_silo(&flags.common)?;
    let name = SiloName::new(&flags.name)?;
    // The port first: two processes cannot take one address, and the table wants to know it.
    let (listener, address) = listen(flags.address)?;
    Report::Listening { address: address.to_string() }.print();
    let advertised = flags.advertise.clone().unwrap_or_else(|| address.to_string());
    let store = storage::open(&settings).await?;
    let described = Silo::builder(&settings.cluster).config(settings.silo).membership(settings.membership);
    let builder = (cast.describe)(described);
    let id = quark::membership::join_identity(
        &cast.clock,
        &(Arc::new(OsEntropy) as Arc<dyn quark_env::Entropy>),
        &store,
        builder.membership_config(),
        &builder.newcomer(name, &advertised),
    )
    .await?;
    let hello = Hello::new(&settings.cluster, id, builder.contract_digest());
    let mut config = quark_grpc::Config::new(address, hello);
    config.advertise = Some(advertised.clone());
    let transport = GrpcTransport::listen_on(listener, config)?;
    let env = Env { clock: cast.clock, ..quark_tokio::world(&Handle::current(), transport.clone(), store) };
    let silo = builder.start(env, &advertised).await?;
    Report::Started { id, address: address.to_string() }.print();
    Ok((silo, transport))
}

fn listen(address: SocketAddr) -> Result<(std::net::TcpListener, SocketAddr)> {
    let listener = std::net::TcpListener::bind(address).map_err(|error| {
        let remedy = match error.kind() {
            std::io::ErrorKind::AddrInUse => {
                "the port is in use; stop the process that holds it, or give another --address"
            }
            _ => "give an --address that this process may use",
        };
        anyhow!("cannot listen on {address} ({error}): {remedy}")
    })?;
    let address = listener.local_addr().context("a socket that listens has an address")?;
    Ok((listener, address))
}

/// Tells how the silo is once a second, and at once when its view changes.
async fn report(silo: Silo) {
    let mut ticks = tokio::time::interval(REPORT_EVERY / LOOKS);
    let (mut told, mut looks) = (ViewVersion(0), 0);
    loop {
        ticks.tick().await;
        let view = silo.view();
        looks += 1;
        if view.version != told || looks >= LOOKS {
            (told, looks) = (view.version, 0);
            status(&silo).print();
        }
    }
}

fn status(silo: &Silo) -> Report {
    Report::Status { counters: silo.status().into(), view: (*silo.view()).clone() }
}

fn failed(error: &anyhow::Error, code: u8) -> ExitCode {
    Report::Failed { reason: format!("{error:#}") }.print();
    tracing::error!("{error:#}");
    ExitCode::from(code)
}

/// The silo never served: its settings, its store or its address are wrong, or the cluster refused it.
pub const EXIT_NOT_STARTED: u8 = 1;
/// The silo was declared dead, was superseded, or met a broken invariant.
pub const EXIT_HAD_TO_STOP: u8 = 3;

const REPORT_EVERY: Duration = Duration::from_secs(1);
const LOOKS: u32 = 10;
