//! The gRPC transport on each engine that it runs on, for the transport's conformance cases.

mod processes;
mod sockets;
mod turmoil;
mod wired;
mod wires;

pub use processes::{be_a_process, on_processes};
pub use sockets::on_sockets;
pub use turmoil::on_turmoil;
pub use wires::Wires;
