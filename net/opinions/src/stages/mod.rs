//! The gRPC transport on each engine that it runs on, for the transport's conformance cases.

mod sockets;
mod turmoil;
mod wires;

pub use sockets::on_sockets;
pub use turmoil::on_turmoil;
