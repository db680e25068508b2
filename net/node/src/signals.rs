//! When a process is asked to stop.

use std::io::Read;
use std::sync::Arc;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;

/// The signals that ask a process to stop in order: Ctrl-C, `kill`, and the end of its terminal.
pub struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl StopSignals {
    /// Catches them from now on.
    ///
    /// Errors: the system refuses; nothing was changed.
    pub fn catch() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next one.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
        }
    }
}

/// Notices the end of standard input: whoever started this process wants it to stop, or is dead.
///
/// A thread, because a read of a pipe cannot be cancelled: the process exits without waiting for it.
pub fn end_of_input() -> Arc<Notify> {
    let ended = Arc::new(Notify::new());
    let notify = ended.clone();
    std::thread::spawn(move || {
        let mut input = std::io::stdin().lock();
        let mut ignored = [0; 256];
        while input.read(&mut ignored).is_ok_and(|bytes| bytes > 0) {}
        notify.notify_one();
    });
    ended
}
