//! Silos in a calm simulated world, and the actors that the paths call.

use quark::{Actor, ActorContext, Deserialize, Serialize, Silo};
use quark_core::ActorId;
use quark_core::ring::Ring;
use quark_sim::{Config, World};
use quark_testkit::sim::SimCluster;
use quark_testkit::stage::Stage;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// Adds, and does nothing else worth counting.
#[derive(Default)]
pub(super) struct Subject {
    sum: u64,
}

#[quark::actor(kind = "subject")]
impl Subject {
    fn add(&mut self, amount: u64) -> u64 {
        self.sum += amount;
        self.sum
    }

    async fn add_async(&mut self, amount: u64) -> u64 {
        self.sum += amount;
        self.sum
    }

    /// Lets others come in between, so that they find the actor busy.
    async fn add_later(&mut self, amount: u64) -> u64 {
        yield_once().await;
        self.sum += amount;
        self.sum
    }

    fn echo(&mut self, bytes: Vec<u8>) -> Vec<u8> {
        self.sum += 1;
        bytes
    }

    fn sum(&self) -> u64 {
        self.sum
    }
}

/// Adds, and remembers.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Ledger {
    sum: u64,
}

#[quark::actor(kind = "ledger", durable)]
impl Ledger {
    fn add(&mut self, amount: u64) -> u64 {
        self.sum += amount;
        self.sum
    }
}

/// Calls the subject within one turn: with a chain, with the deadline that is left, and in order.
#[derive(Default)]
pub(super) struct Driver;

#[quark::actor(kind = "driver")]
impl Driver {
    async fn ask_sync(&mut self, ctx: &ActorContext, times: u64) -> u64 {
        let subject = ctx.actor::<Subject>("one");
        for _ in 0..times {
            subject.add(1).await.expect(ANSWERS);
        }
        subject.sum().await.expect(ANSWERS)
    }

    async fn ask_async(&mut self, ctx: &ActorContext, times: u64) -> u64 {
        let subject = ctx.actor::<Subject>("one");
        for _ in 0..times {
            subject.add_async(1).await.expect(ANSWERS);
        }
        subject.sum().await.expect(ANSWERS)
    }

    async fn tell(&mut self, ctx: &ActorContext, times: u64) -> u64 {
        let subject = ctx.actor::<Subject>("one");
        for _ in 0..times {
            subject.add(1).tell().expect(ANSWERS);
        }
        subject.sum().await.expect(ANSWERS)
    }
}

pub(super) const ANSWERS: &str = "nothing fails in a calm world";

/// Runs silos of these names, and `work` once they all know one another.
pub(super) fn with_silos(names: &[&str], work: impl AsyncFnOnce(&SimCluster)) {
    let mut world = World::new(Config::calm(SEED));
    let describe = |b: quark::SiloBuilder| b.actor::<Subject>().actor::<Ledger>().actor::<Driver>();
    let cluster = SimCluster::new(world.handle(), "hot", Arc::new(describe), None);
    world.block_on(async {
        cluster.start_all(names).await;
        while !cluster.has_converged() {
            cluster.sleep(Duration::from_millis(100)).await;
        }
        work(&cluster).await;
    });
}

const SEED: u64 = 1;

/// The silo of this name.
pub(super) fn silo(cluster: &SimCluster, name: &str) -> Silo {
    cluster.silo(name).expect("it was started, and none stops in a calm world")
}

/// Runs these side by side on the silo `a`, and waits for all.
pub(super) async fn side_by_side<F>(cluster: &SimCluster, callers: impl IntoIterator<Item = F>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut waiting = Vec::new();
    for caller in callers {
        let (tell, told) = oneshot::channel();
        cluster.world().spawn(cluster.node("a"), "caller", async move {
            caller.await;
            tell.send(()).expect("it is waited for");
        });
        waiting.push(told);
    }
    for told in waiting {
        told.await.expect("a caller does not panic");
    }
}

/// So many keys of subjects that the ring gives to this silo.
pub(super) fn keys_on(home: &Silo, count: usize) -> Vec<String> {
    let ring = Ring::shared_of_view(&home.view());
    let is_there = |key: &String| {
        let id = ActorId::new(Subject::KIND, key).expect("a valid id");
        ring.owner(id.point()) == Some(home.id())
    };
    (0..).map(|number| format!("subject-{number}")).filter(is_there).take(count).collect()
}

async fn yield_once() {
    let mut has_yielded = false;
    std::future::poll_fn(|cx| {
        if has_yielded {
            return std::task::Poll::Ready(());
        }
        has_yielded = true;
        cx.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}
