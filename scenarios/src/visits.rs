//! A guest book in memory that is saved now and then, and a visitor who signs it: what `write_behind` is for.

use quark::{Client, Deserialize, Serialize};
use quark_testkit::story::Tale;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;

/// Counts visits. A crash may cost the last seconds of them.
#[derive(Default, Serialize, Deserialize)]
pub struct GuestBook {
    visits: u64,
}

#[quark::actor(kind = "guest-book", write_behind = "2s")]
impl GuestBook {
    fn sign(&mut self) -> u64 {
        self.visits += 1;
        self.visits
    }

    fn visits(&self) -> u64 {
        self.visits
    }
}

const BOOK: &str = "lobby";
const PAUSE: Duration = Duration::from_millis(600);
const PATIENCE: Duration = Duration::from_secs(2);

/// A visitor at work.
pub struct Visitor {
    client: Client,
    tried: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    ended: oneshot::Receiver<()>,
}

impl Visitor {
    /// Begins to visit.
    pub async fn start(s: &Tale) -> Self {
        let client = s.stage.client("client-visitor").await;
        let (tried, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (tell, ended) = oneshot::channel();
        let (story, visits, done) = (s.clone(), tried.clone(), stop.clone());
        let book = client.actor::<GuestBook>(BOOK);
        s.stage.spawn(Box::pin(async move {
            for turn in 0.. {
                if done.load(Ordering::Relaxed) {
                    break;
                }
                if story.does("visitor", turn) {
                    visits.fetch_add(1, Ordering::Relaxed);
                    // maybe: it was not counted, or a crash took it. It was never counted twice.
                    let _ = book.sign().deadline(PATIENCE).await;
                }
                story.stage.sleep(PAUSE + story.draw_time("visit", turn, PAUSE)).await;
            }
            let _ = tell.send(());
        }));
        Self { client, tried, stop, ended }
    }

    /// Stops, and looks: whatever was lost, no visit was counted twice.
    pub async fn stop_and_check(self, s: &Tale) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.ended.await;
        let tried = self.tried.load(Ordering::Relaxed);
        match self.client.actor::<GuestBook>(BOOK).visits().await {
            Ok(visits) => {
                s.require("I3", visits <= tried, || format!("{tried} visits were tried, {visits} counted"))
            }
            Err(error) => s.violated("I7", format!("the guest book does not serve: {error}")),
        }
    }
}
