//! Runs a future here and now, and hands over only what does not finish.

use quark_env::{BoxFuture, Spawner};
use std::task::{Context, Poll, Waker};

/// Polls once on this stack. A future that is not done becomes a task, whose first poll registers real wakers.
pub(crate) fn run_inline(spawner: &dyn Spawner, name: &'static str, mut future: BoxFuture<'static, ()>) {
    let mut context = Context::from_waker(Waker::noop());
    if future.as_mut().poll(&mut context).is_pending() {
        spawner.spawn_boxed(name, future);
    }
}

/// Lets other tasks run once.
pub(crate) async fn yield_once() {
    let mut yielded = false;
    std::future::poll_fn(|cx| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
