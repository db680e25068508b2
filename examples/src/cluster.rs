//! A cluster in one process: silos that know one another by gRPC over loopback and share one SQLite file, as silos on
//! one machine would. For machines, start one silo on each, as `start_silo` does.

use anyhow::{Context, Result};
use futures_util::future::try_join_all;
use quark::core::SiloName;
use quark::core::handshake::Hello;
use quark::env::{Clock, Entropy, Store};
use quark::{Client, Silo, SiloBuilder};
use quark_grpc::{Config, GrpcTransport};
use quark_sqlite::{Options, SqliteStore};
use quark_tokio::{OsEntropy, TokioClock};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::runtime::Handle;

/// Running silos. Their data ends with them.
pub struct Cluster {
    silos: Vec<(Silo, Arc<GrpcTransport>)>,
    _folder: TempDir,
}

impl Cluster {
    /// Starts silos of these names, which all host what `describe` registers, and waits until all serve.
    ///
    /// Errors: a silo's own reason not to start.
    pub async fn start(names: &[&str], describe: fn(SiloBuilder) -> SiloBuilder) -> Result<Self> {
        let folder = tempfile::tempdir().context("cannot make a folder for the database")?;
        let database = folder.path().join("example.sqlite");
        let silos = try_join_all(names.iter().map(|name| start_silo(name, &database, describe))).await?;
        Ok(Self { silos, _folder: folder })
    }

    /// Issues calls through the first silo.
    ///
    /// Panics: if it was stopped.
    pub fn client(&self) -> Client {
        self.silos.first().expect("a silo runs").0.client()
    }

    /// Stops the last silo in order: what it hosts is activated elsewhere at its next call.
    pub async fn stop_last(&mut self) {
        if let Some((silo, transport)) = self.silos.pop() {
            silo.stop().await;
            transport.shutdown().await;
        }
    }

    /// Stops all silos in order.
    pub async fn stop(mut self) {
        while !self.silos.is_empty() {
            self.stop_last().await;
        }
    }
}

/// Starts one silo on a free port: reserves its generation in the table, then joins with it.
async fn start_silo(
    name: &str,
    database: &Path,
    describe: fn(SiloBuilder) -> SiloBuilder,
) -> Result<(Silo, Arc<GrpcTransport>)> {
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(database, Options::default())?);
    let clock: Arc<dyn Clock> = Arc::new(TokioClock::new(Handle::current()));
    let entropy: Arc<dyn Entropy> = Arc::new(OsEntropy);
    let listener = TcpListener::bind("127.0.0.1:0").context("no free port")?;
    let address = listener.local_addr()?;
    let builder = describe(Silo::builder("example"));
    let newcomer = builder.newcomer(SiloName::new(name)?, &address.to_string());
    let membership = builder.membership_config();
    let id = quark::membership::join_identity(&clock, &entropy, &store, membership, &newcomer).await?;
    let hello = Hello::new("example", id, builder.contract_digest());
    let transport = GrpcTransport::listen_on(listener, Config::new(address, hello))?;
    let env = quark_tokio::world(&Handle::current(), transport.clone(), store);
    Ok((builder.start(env, &address.to_string()).await?, transport))
}
