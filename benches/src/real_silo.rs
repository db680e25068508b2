//! A whole silo in this process, on the runtime that is entered.

use anyhow::Result;
use quark::core::SiloName;
use quark::core::handshake::Hello;
use quark::{Silo, SiloBuilder};
use quark_env::{Clock, Entropy, Store};
use quark_grpc::GrpcTransport;
use quark_sqlite::{Options, SqliteStore};
use quark_tokio::{OsEntropy, TokioClock};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use tokio::runtime::Handle;

/// One SQLite file in this folder.
pub fn sqlite(data: &Path) -> Result<Arc<dyn Store>> {
    Ok(Arc::new(SqliteStore::open(data.join("bench.sqlite"), Options::default())?))
}

/// Starts a silo of the cluster that keeps its tables in this store, with gRPC on loopback. The transport has to be kept
/// for as long as the silo runs.
pub async fn start(
    store: Arc<dyn Store>,
    name: &str,
    describe: impl FnOnce(SiloBuilder) -> SiloBuilder,
) -> Result<(Silo, Arc<GrpcTransport>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let builder = describe(Silo::builder("bench"));
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
