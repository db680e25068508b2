//! `quark up`: a cluster on this machine.
//!
//! This process hosts no actor. It supervises the silo processes, calls them as any client would, and shows what they
//! tell. Starting goes from what can fail for reasons of the user's (settings, folder, store, port) to what cannot,
//! so that a mistake costs a line of text and leaves no process behind.

mod cluster;
mod gateway;
mod ledger;
mod load;
mod no_store;
mod screen;
mod supervisor;
mod twin;

use crate::cli::UpFlags;
use crate::settings::UpSettings;
use crate::signals::StopSignals;
use crate::store_choice::StoreChoice;
use crate::{bank, storage};
use anyhow::{Context, Result, anyhow};
use cluster::Cluster;
use gateway::Gateway;
use load::Load;
use no_store::NoStore;
use quark::{ClientConfig, ClusterClient, Silo};
use quark_core::handshake::Hello;
use quark_core::{Generation, SiloId, SiloName};
use quark_env::EntropyExt;
use quark_grpc::GrpcTransport;
use quark_http::Limits;
use screen::{Screen, Style};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use supervisor::Order;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing_subscriber::EnvFilter;

/// Runs a cluster until it is told to stop.
///
/// Its exit code is 0 after an orderly stop, 1 if the cluster could not be started, [`EXIT_LOST`] if the load found
/// acknowledged deposits missing, and [`EXIT_CUT_SHORT`] after a second Ctrl-C.
pub async fn run(flags: UpFlags) -> ExitCode {
    let outcome = async {
        // First, so that a Ctrl-C while we start is not one that kills us and leaves silos behind.
        let signals = StopSignals::catch().context("cannot catch signals")?;
        let settings = UpSettings::of(&flags)?;
        let (up, screen) = Up::start(settings).await?;
        up.until_stopped(screen, signals).await
    };
    outcome.await.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

/// A running cluster.
struct Up {
    cluster: Arc<Cluster>,
    client: Arc<ClusterClient>,
    transport: Arc<GrpcTransport>,
    load: Arc<Load>,
    load_task: JoinHandle<()>,
    load_stop: watch::Sender<bool>,
    http_task: JoinHandle<()>,
    http_stop: watch::Sender<bool>,
    silos: Vec<Supervised>,
    _lock: storage::FolderLock,
}

/// A silo's supervisor.
struct Supervised {
    orders: watch::Sender<Order>,
    task: JoinHandle<Result<()>>,
}

impl Up {
    async fn start(settings: UpSettings) -> Result<(Self, Screen)> {
        let node = &settings.node;
        storage::make_folder(&node.data)?;
        let lock = storage::FolderLock::take(&node.data)?;
        log_to_file(&node.data)?;
        // Before any silo runs, which will open it for good.
        storage::check(node).await?;
        // A file is guarded by the folder's lock.
        if node.store != StoreChoice::Sqlite {
            twin::refuse(node, &cluster::names(settings.silos)).await?;
        }
        let listener = bind_http(settings.http_port).await?;
        let url = format!("http://{}", listener.local_addr().context("the HTTP socket has an address")?);

        let transport = GrpcTransport::client(Hello::new(
            &node.cluster,
            client_id(),
            bank::register(Silo::builder(&node.cluster)).contract_digest(),
        ));
        let env = quark_tokio::world(&Handle::current(), transport.clone(), Arc::new(NoStore));
        let config = ClientConfig { deadline: node.silo.deadline, ..ClientConfig::default() };
        let client = Arc::new(ClusterClient::connect(env, &[], config));

        let (rate, style) = (settings.rate, Style::of_output(settings.is_json));
        let cluster = Arc::new(Cluster::new(settings));
        let load = Arc::new(Load::new(&client.client()));
        let gateway = Gateway { client: client.client(), cluster: cluster.clone(), load: load.clone() };
        let (http_stop, http_stopping) = watch::channel(false);
        let serving = quark_http::serve(listener, Arc::new(gateway), Limits::default(), until(http_stopping));
        let http_task = tokio::spawn(serving);
        let silos = (0..usize::from(cluster.settings.silos)).map(|slot| {
            let (orders, receiver) = watch::channel(Order::Run);
            let task = supervisor::supervise(cluster.clone(), client.clone(), slot, receiver);
            Supervised { orders, task: tokio::spawn(task) }
        });
        let silos = silos.collect();
        let (load_stop, load_stopping) = watch::channel(false);
        let load_task = tokio::spawn(begin_load(cluster.clone(), load.clone(), rate, load_stopping));
        cluster.event(format!("serving HTTP on {url}"));
        let screen = Screen::new(cluster.clone(), load.clone(), url, style);
        let up = Self {
            cluster,
            client,
            transport,
            load,
            load_task,
            load_stop,
            http_task,
            http_stop,
            silos,
            _lock: lock,
        };
        Ok((up, screen))
    }

    async fn until_stopped(mut self, mut screen: Screen, mut signals: StopSignals) -> Result<ExitCode> {
        let broken = tokio::select! {
            () = signals.next() => None,
            error = first_error(&mut self.silos) => Some(error),
            never = screen.run() => match never {},
        };
        let orders: Vec<_> = self.silos.iter().map(|silo| silo.orders.clone()).collect();
        tokio::select! {
            code = self.stop() => {
                screen.draw_now();
                match broken {
                    Some(error) => Err(error),
                    None => Ok(code),
                }
            }
            never = screen.run() => match never {},
            () = signals.next() => {
                for orders in orders {
                    let _ = orders.send(Order::Kill);
                }
                // The supervisors have a moment to kill them; whoever is left sees the end of its input.
                tokio::time::sleep(KILL_PATIENCE).await;
                Ok(ExitCode::from(EXIT_CUT_SHORT))
            }
        }
    }

    /// In order: no new calls, the calls in flight, the books, then one silo after another.
    async fn stop(&mut self) -> ExitCode {
        self.cluster.stopping();
        self.cluster.event("stopping: no new calls, then one silo after another".into());
        let _ = (self.load_stop.send(true), self.http_stop.send(true));
        let _ = tokio::time::timeout(CALLS_PATIENCE, &mut self.load_task).await;
        let _ = tokio::time::timeout(CALLS_PATIENCE, &mut self.http_task).await;
        let _ = tokio::time::timeout(CALLS_PATIENCE, self.load.clone().audit()).await;
        for silo in &mut self.silos {
            let _ = silo.orders.send(Order::Stop);
            if !silo.task.is_finished() {
                let _ = (&mut silo.task).await;
            }
        }
        self.client.close();
        self.transport.shutdown().await;
        let (load, (p50, p99)) = (self.load.view(), self.load.quantiles_us());
        self.cluster.event(format!(
            "stopped in order: {} calls, p50 {}, p99 {}, errors {}, lost: {}",
            load.calls,
            screen::milliseconds(p50),
            screen::milliseconds(p99),
            load.errors_total(),
            screen::lost(&load),
        ));
        if load.lost + load.surplus > 0 { ExitCode::from(EXIT_LOST) } else { ExitCode::SUCCESS }
    }
}

/// Waits until a supervisor gives up.
async fn first_error(silos: &mut [Supervised]) -> anyhow::Error {
    std::future::poll_fn(|cx| {
        for silo in silos.iter_mut() {
            if silo.task.is_finished() {
                continue;
            }
            if let std::task::Poll::Ready(ended) = std::pin::Pin::new(&mut silo.task).poll(cx) {
                return std::task::Poll::Ready(match ended {
                    Ok(Ok(())) => anyhow!("a silo's supervisor ended without being told to"),
                    Ok(Err(error)) => error,
                    Err(error) => anyhow!("a silo's supervisor broke: {error}"),
                });
            }
        }
        std::task::Poll::Pending
    })
    .await
}

/// The load begins once somebody serves: calls before that would only measure the start.
async fn begin_load(cluster: Arc<Cluster>, load: Arc<Load>, rate: u32, mut stop: watch::Receiver<bool>) {
    let everybody = usize::from(cluster.settings.silos);
    let mut ticks = tokio::time::interval(Duration::from_millis(50));
    while cluster.serving() < everybody {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stop.changed() => return,
        }
    }
    load.run(rate, stop).await;
}

async fn until(mut stop: watch::Receiver<bool>) {
    // A sender that is gone means the same.
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn bind_http(port: u16) -> Result<TcpListener> {
    TcpListener::bind(("127.0.0.1", port)).await.map_err(|error| {
        let remedy = match error.kind() {
            std::io::ErrorKind::AddrInUse => "the port is in use: stop the process that holds it, or choose another",
            _ => "choose a port that this process may use",
        };
        anyhow!("cannot serve HTTP on 127.0.0.1:{port} ({error}): {remedy} with --http-port (0 lets the system choose)")
    })
}

/// A name that no other client has: silos tell clients apart by it.
fn client_id() -> SiloId {
    let draw = quark_tokio::OsEntropy.u64("client");
    let name = SiloName::new(&format!("up-{draw:016x}")).expect("hexadecimal digits fit a name");
    SiloId::new(name, Generation(1))
}

/// This process draws on its terminal, so it logs beside the database.
fn log_to_file(data: &std::path::Path) -> Result<()> {
    let path = data.join("up.log");
    let file = std::fs::File::options().create(true).append(true).open(&path);
    let file = file.with_context(|| format!("cannot write {path:?}: is the folder writable?"))?;
    let filter = EnvFilter::try_from_env("QUARK_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(Arc::new(file)).with_ansi(false).init();
    Ok(())
}

/// The load found acknowledged deposits missing, or deposits that took effect twice.
const EXIT_LOST: u8 = 2;
/// A second Ctrl-C: as a shell reports a process that Ctrl-C killed.
const EXIT_CUT_SHORT: u8 = 130;
/// How long calls in flight may take to end when the cluster is stopped. Their deadline is shorter.
const CALLS_PATIENCE: Duration = Duration::from_secs(12);
const KILL_PATIENCE: Duration = Duration::from_millis(300);
