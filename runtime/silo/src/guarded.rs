//! Runs user code so that neither a panic nor a lost lease gets past it.

use crate::kernel::Kernel;
use quark_core::Instant;
use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// The silo stopped before the code came to its end.
#[derive(Debug)]
pub(crate) struct Stopped;

pin_project_lite::pin_project! {
/// Polls `inner` only while the silo's lease is valid (promise P2), and catches its panics.
pub(crate) struct Guarded<'k, F> {
    kernel: &'k Arc<Kernel>,
    read: Option<Instant>,
    #[pin]
    inner: F,
}
}

impl<'k, F: Future> Guarded<'k, F> {
    pub fn new(kernel: &'k Arc<Kernel>, inner: F) -> Self {
        Self { kernel, read: None, inner }
    }

    /// As [`Guarded::new`], for code that is polled as soon as the clock has been read, if it has: its first poll does not
    /// read it again.
    pub fn new_at(kernel: &'k Arc<Kernel>, read: Option<Instant>, inner: F) -> Self {
        Self { kernel, read, inner }
    }
}

impl<F: Future> Future for Guarded<'_, F> {
    type Output = Result<Result<F::Output, String>, Stopped>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if this.kernel.is_stopped() {
            return Poll::Ready(Err(Stopped));
        }
        let now = this.read.take().unwrap_or_else(|| this.kernel.env.clock.now());
        if !this.kernel.lease.valid_or_wait(now, cx.waker()) {
            quark_core::reached!("guarded.lease_wait");
            return Poll::Pending;
        }
        match std::panic::catch_unwind(AssertUnwindSafe(|| this.inner.poll(cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(Ok(output))),
            Err(panic) => Poll::Ready(Ok(Err(message_of(&*panic)))),
        }
    }
}

fn message_of(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".into())
}
