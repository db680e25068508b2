//! Callers that live inside of a silo's process, as an application's own threads do, and end with it.

use quark::Client;
use quark_testkit::story::Story;
use std::future::Future;
use tokio::sync::oneshot;

/// Starts work in the process of a silo. The result is `None` if no such silo runs, or its process ends first.
pub fn inside<T, F, W>(
    story: &Story,
    silo: &str,
    work: W,
) -> impl Future<Output = Option<T>> + Send + use<T, F, W>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
    W: FnOnce(Client) -> F,
{
    let (tell, told) = oneshot::channel();
    if let Some(running) = story.cluster.silo(silo) {
        let work = work(running.client());
        story.world.spawn(story.cluster.node(silo), "inside", async move {
            let _ = tell.send(work.await);
        });
    }
    async { told.await.ok() }
}
