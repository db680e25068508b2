//! The simulated network under test.

use super::{Case, Observation, Role, Stage};
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use quark_core::SiloId;
use quark_env::Transport;
use quark_sim::{Config, Identity, NetworkConfig, NodeId, World, WorldHandle};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Runs a case in a simulated world that tells every break to who is still there.
///
/// Panics: if the world breaks the contract; the message has the case and the seed.
pub fn observe(case: &Case, seed: u64) -> Observation {
    let network = NetworkConfig { hint_lost_ppm: 0, stray_ppm: 0, ..NetworkConfig::default() };
    let mut world = World::new(Config { network, ..Config::new(seed) });
    let stage = Arc::new(SimStage { world: world.handle(), cuts: Mutex::default() });
    let body = case.run(stage);
    let running = std::panic::AssertUnwindSafe(|| world.block_on(body));
    std::panic::catch_unwind(running).unwrap_or_else(|reason| {
        let text = reason.downcast_ref::<String>().map(String::as_str);
        panic!("{case:?} in the simulator with seed {seed}: {}", text.unwrap_or("see above"))
    })
}

/// A simulated network.
struct SimStage {
    world: WorldHandle,
    /// The ways that are cut.
    cuts: Mutex<BTreeSet<(NodeId, NodeId)>>,
}

impl SimStage {
    fn node(&self, name: &str) -> NodeId {
        self.world.node(name).unwrap_or_else(|| self.world.add_node(name))
    }
}

impl Stage for SimStage {
    fn open(&self, who: SiloId, _role: Role) -> BoxFuture<'static, Arc<dyn Transport>> {
        let node = self.node(who.name.as_str());
        let host = if self.world.is_up(node) { self.world.host(node) } else { self.world.restart(node) };
        let transport: Arc<dyn Transport> = Arc::new(host.transport(Identity::new(who)));
        Box::pin(async move { transport })
    }

    fn address(&self, _from: &str, to: &str) -> BoxFuture<'static, String> {
        let address = self.world.host(self.node(to)).address();
        Box::pin(async move { address })
    }

    fn crash(&self, name: &str) -> BoxFuture<'static, ()> {
        self.world.crash(self.node(name));
        Box::pin(async {})
    }

    fn cut(&self, from: &str, to: &str) {
        let way = (self.node(from), self.node(to));
        if self.cuts.lock().insert(way) {
            self.world.cut(way.0, way.1);
        }
    }

    fn mend(&self, one: &str, other: &str) {
        let (one, other) = (self.node(one), self.node(other));
        for way in [(one, other), (other, one)] {
            if self.cuts.lock().remove(&way) {
                self.world.uncut(way.0, way.1);
            }
        }
    }

    fn hold(&self, one: &str, other: &str) {
        let (one, other) = (self.node(one), self.node(other));
        self.world.clog(one, other);
        self.world.clog(other, one);
    }

    fn release(&self, one: &str, other: &str) {
        let (one, other) = (self.node(one), self.node(other));
        self.world.unclog(one, other);
        self.world.unclog(other, one);
    }

    fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.world.now_true().0)
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        Box::pin(self.world.sleep(time))
    }
}
