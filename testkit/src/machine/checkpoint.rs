//! One moment of a story, kept as a copy of the process that waits to be asked.

use super::{Answer, MachineError, Order, Role};
use quark_core::Instant;
use quark_sim::fork::{self, Child, Side};
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;

/// A copy of the process, at a moment of the story.
pub(super) struct Checkpoint {
    pub(super) at: Instant,
    copy: Child,
}

impl Checkpoint {
    pub(super) fn new(at: Instant, copy: Child) -> Self {
        Self { at, copy }
    }

    pub(super) fn pid(&self) -> u32 {
        self.copy.pid()
    }

    /// Lets it make a copy of itself that carries an order out. It stays as it is.
    pub(super) fn ask(&mut self, order: Order) -> Result<Answer, MachineError> {
        let lost = |reason| MachineError::Lost { at: order.at(), reason };
        let socket = self.copy.socket();
        send(socket, &serde_json::to_vec(&order).expect("an order is plain data"))?;
        let reply = receive(socket)?.ok_or_else(|| lost("it is gone".into()))?;
        let reply: Result<Vec<u8>, String> =
            serde_json::from_slice(&reply).map_err(|error| lost(error.to_string()))?;
        read_answer(&reply.map_err(lost)?, order)
    }
}

/// What the bytes of a worker mean.
pub(super) fn read_answer(bytes: &[u8], order: Order) -> Result<Answer, MachineError> {
    let broken = |reason: String| MachineError::Lost { at: order.at(), reason };
    if bytes.is_empty() {
        return Err(broken("it was killed, or has crashed".into()));
    }
    serde_json::from_slice(bytes).map_err(|error| broken(format!("half an answer: {error}")))
}

/// What a checkpoint does all its life: for each order, it makes a copy that carries it out, and passes the answer on.
/// Returns in those copies only.
pub(super) fn serve(mut orders: UnixStream) -> Role {
    loop {
        // An error is the end of whoever asks, too.
        let Ok(Some(order)) = receive(&mut orders) else { fork::leave() };
        let Ok(order) = serde_json::from_slice::<Order>(&order) else { fork::leave() };
        let reply = match fork::fork() {
            Ok(Side::Child(socket)) => return Role::Worker { order, socket },
            Ok(Side::Parent(worker)) => hear_out(worker).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        let reply = serde_json::to_vec(&reply).expect("a reply is plain data");
        if send(&mut orders, &reply).is_err() {
            fork::leave();
        }
    }
}

/// All that a worker says until it ends.
pub(super) fn hear_out(mut worker: Child) -> io::Result<Vec<u8>> {
    let mut answer = Vec::new();
    worker.socket().read_to_end(&mut answer)?;
    if !worker.wait() {
        answer.clear();
    }
    Ok(answer)
}

/// A worker's last words.
pub(super) fn answer(socket: &mut UnixStream, answer: &Answer) -> ! {
    let bytes = serde_json::to_vec(answer).expect("an answer is plain data");
    // Nobody listens any more: then nobody needs it.
    let _ = socket.write_all(&bytes);
    fork::leave()
}

fn send(socket: &mut UnixStream, bytes: &[u8]) -> io::Result<()> {
    socket.write_all(&(bytes.len() as u64).to_le_bytes())?;
    socket.write_all(bytes)
}

/// `None` if the other side has closed.
fn receive(socket: &mut UnixStream) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 8];
    match socket.read_exact(&mut length) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let mut bytes = Vec::new();
    socket.take(u64::from_le_bytes(length)).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}
