//! The gRPC transport over turmoil's TCP.

use crate::host::{PORT, Place};
use crate::lab::Lab;
use futures_util::future::BoxFuture;
use quark_core::SiloId;
use quark_core::handshake::Hello;
use quark_env::Transport;
use quark_grpc::{Config, GrpcTransport, Limits};
use quark_testkit::transport_conformance::{Case, Observation, Role, Stage};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// Runs a case.
///
/// Panics: if the transport breaks its contract.
pub fn on_turmoil(case: &Case, seed: u64) -> Observation {
    let case = *case;
    Lab::run(seed, move |lab| {
        Box::pin(async move {
            lab.ensure("a").await;
            lab.ensure("b").await;
            case.run(Arc::new(Turmoil(lab))).await
        })
    })
}

struct Turmoil(Lab);

impl Stage for Turmoil {
    fn open(&self, who: SiloId, role: Role) -> BoxFuture<'static, Arc<dyn Transport>> {
        let lab = self.0.clone();
        Box::pin(async move {
            let (name, of_host) = (who.name.as_str().to_owned(), lab.clone());
            let host = name.clone();
            let opened = lab.boot_until(&host, |tell| {
                Box::pin(async move {
                    let transport = open(&of_host, who, &name, role).await;
                    let _ = tell.send(transport.clone());
                    std::future::pending::<()>().await;
                    drop(transport);
                })
            });
            let opened: Arc<dyn Transport> = opened.await.expect("it opens");
            opened
        })
    }

    fn address(&self, _from: &str, to: &str) -> BoxFuture<'static, String> {
        let (lab, to) = (self.0.clone(), to.to_owned());
        Box::pin(async move {
            lab.ensure(&to).await;
            Place::address(&to)
        })
    }

    fn crash(&self, name: &str) -> BoxFuture<'static, ()> {
        let (lab, name) = (self.0.clone(), name.to_owned());
        Box::pin(async move { lab.crash(&name).await })
    }

    fn cut(&self, from: &str, to: &str) {
        self.0.cut(from, to);
    }

    fn mend(&self, one: &str, other: &str) {
        self.0.mend(one, other);
    }

    fn hold(&self, one: &str, other: &str) {
        self.0.hold(one, other);
    }

    fn release(&self, one: &str, other: &str) {
        self.0.release(one, other);
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        self.0.sleep(time)
    }
}

async fn open(lab: &Lab, who: SiloId, name: &str, role: Role) -> Arc<GrpcTransport> {
    let hello = Hello::new("stage", who, 0);
    match role {
        Role::Client => GrpcTransport::client_over(hello, limits(), Place::dialling(lab, name)),
        Role::Silo => {
            let place = Place::listening(lab, name).await.expect("nobody else is on this host");
            let listen = SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT));
            let advertise = Some(Place::address(name));
            GrpcTransport::over(Config { listen, advertise, hello, limits: limits() }, place)
        }
    }
}

/// Small enough to reach, and otherwise those of production.
pub(super) fn limits() -> Limits {
    Limits {
        queue_bytes_max: 1 << 20,
        inbound_bytes_max: 1 << 20,
        window_bytes: 256 << 10,
        ..Limits::default()
    }
}
