//! The gRPC transport over the sockets of this machine, in one process: a runtime for each place, and wires between them
//! that can be pinched.

use super::wired::{Places, Wired};
use super::wires::Wires;
use parking_lot::Mutex;
use quark_core::SiloId;
use quark_core::handshake::Hello;
use quark_env::Transport;
use quark_grpc::{Config, GrpcTransport};
use quark_testkit::transport_conformance::{Case, Observation, Role};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::runtime::{Builder, Runtime};

/// Runs a case.
///
/// Panics: if the transport breaks its contract.
pub fn on_sockets(case: &Case) -> Observation {
    let runtime = runtime();
    let stage = Wired::new(Sockets::default());
    let seen = runtime.block_on(case.run(stage.clone()));
    for (_, process) in std::mem::take(&mut *stage.places.processes.lock()) {
        process.shutdown_background();
    }
    runtime.shutdown_background();
    seen
}

#[derive(Default)]
struct Sockets {
    /// What runs in each place: ending a runtime closes its sockets, as ending a process does.
    processes: Mutex<BTreeMap<String, Runtime>>,
}

impl Places for Sockets {
    fn open(&self, wires: &Wires, who: SiloId, role: Role) -> Arc<dyn Transport> {
        let name = who.name.as_str().to_owned();
        let process = runtime();
        let entered = process.enter();
        let hello = Hello::new("stage", who, 0);
        let limits = super::turmoil::limits();
        let transport = match role {
            Role::Client => GrpcTransport::client_with(hello, limits),
            Role::Silo => {
                let listener = std::net::TcpListener::bind(ANY).expect("a free port");
                let listen = listener.local_addr().expect("it is bound");
                wires.is_at(&name, listen);
                // What it announces leads nowhere: its peers learn the wire's end instead.
                let config = Config { listen, advertise: None, hello, limits };
                GrpcTransport::listen_on(listener, config).expect("it listens")
            }
        };
        drop(entered);
        let earlier = self.processes.lock().insert(name.clone(), process);
        assert!(earlier.is_none(), "a process runs at `{name}`");
        transport
    }

    fn crash(&self, name: &str) {
        let process = self.processes.lock().remove(name).expect("a process runs there");
        process.shutdown_background();
    }
}

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
}

/// Any free port of this machine.
pub(super) const ANY: SocketAddr =
    SocketAddr::V4(std::net::SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, 0));
