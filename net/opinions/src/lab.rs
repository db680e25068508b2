//! A turmoil simulation that is driven from within: a test is one future, on a host of its own, that starts and ends others.

use parking_lot::Mutex;
use quark_env::BoxFuture;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::oneshot;

/// A simulated network of machines. Cheap to clone; all clones are the same one.
#[derive(Clone)]
pub struct Lab(Arc<Inner>);

struct Inner {
    seed: u64,
    orders: Mutex<VecDeque<Order>>,
    /// The hosts that exist, whether or not something runs on them, and what is to be started there next.
    hosts: Mutex<BTreeMap<String, Slot>>,
}

/// What is to be started next on a host.
type Slot = Arc<Mutex<Option<BoxFuture<'static, ()>>>>;

/// What only the loop around the simulation can do, between two steps of it.
enum Order {
    Boot { name: String, software: BoxFuture<'static, ()>, done: oneshot::Sender<()> },
    Crash { name: String, done: oneshot::Sender<()> },
}

impl Lab {
    /// Runs a test to its end, in a world that is a function of the seed as far as turmoil and tokio are.
    ///
    /// Panics: if the test does, or a host's software, or if it takes more than [`TIME_MAX`] of simulated time.
    pub fn run<T: Send + 'static>(
        seed: u64,
        test: impl FnOnce(Lab) -> BoxFuture<'static, T> + Send + 'static,
    ) -> T {
        let lab = Self(Arc::new(Inner { seed, orders: Mutex::default(), hosts: Mutex::default() }));
        let mut sim = turmoil::Builder::new()
            .rng_seed(seed)
            .epoch(SystemTime::UNIX_EPOCH + EPOCH)
            .enable_random_order()
            .tick_duration(Duration::from_millis(1))
            .min_message_latency(Duration::from_millis(1))
            .max_message_latency(Duration::from_millis(4))
            .simulation_duration(TIME_MAX)
            .tcp_capacity(256)
            .build();
        lab.0.hosts.lock().insert(DRIVER.into(), Arc::default());
        let outcome = Arc::new(Mutex::new(None));
        let (slot, of_test) = (outcome.clone(), lab.clone());
        sim.client(DRIVER, async move {
            let found = test(of_test).await;
            *slot.lock() = Some(found);
            Ok(())
        });
        loop {
            lab.obey(&mut sim);
            match sim.step() {
                Ok(true) => break,
                Ok(false) => {}
                Err(error) => panic!("on turmoil with seed {seed}, after {:?}: {error}", sim.elapsed()),
            }
        }
        drop(sim);
        let found = outcome.lock().take();
        found.expect("the test has ended")
    }

    fn obey(&self, sim: &mut turmoil::Sim<'_>) {
        loop {
            let Some(order) = self.0.orders.lock().pop_front() else { return };
            match order {
                Order::Boot { name, software, done } => {
                    let is_known = {
                        let mut hosts = self.0.hosts.lock();
                        let known = hosts.contains_key(&name);
                        *hosts.entry(name.clone()).or_default().lock() = Some(software);
                        known
                    };
                    if is_known {
                        sim.bounce(name);
                    } else {
                        let slot = self.0.hosts.lock()[&name].clone();
                        sim.host(name, move || process(slot.lock().take()));
                    }
                    let _ = done.send(());
                }
                Order::Crash { name, done } => {
                    sim.crash(name);
                    let _ = done.send(());
                }
            }
        }
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.0.seed
    }

    /// Starts software on a host, which is made if there is none; whatever runs there ends before.
    pub async fn boot(&self, name: &str, software: BoxFuture<'static, ()>) {
        let (done, obeyed) = oneshot::channel();
        self.0.orders.lock().push_back(Order::Boot { name: name.into(), software, done });
        obeyed.await.expect("orders are obeyed");
    }

    /// Starts software on a host and waits for what it says once it is up. It goes on until its host crashes.
    pub async fn boot_until<T: Send + 'static>(
        &self,
        name: &str,
        software: impl FnOnce(oneshot::Sender<T>) -> BoxFuture<'static, ()>,
    ) -> Option<T> {
        let (tell, told) = oneshot::channel();
        self.boot(name, software(tell)).await;
        told.await.ok()
    }

    /// Ends whatever runs on a host, between two steps. Its peers see its sockets close.
    pub async fn crash(&self, name: &str) {
        let (done, obeyed) = oneshot::channel();
        self.0.orders.lock().push_back(Order::Crash { name: name.into(), done });
        obeyed.await.expect("orders are obeyed");
    }

    /// Makes sure that there is such a host.
    pub async fn ensure(&self, name: &str) {
        if !self.0.hosts.lock().contains_key(name) {
            self.boot(name, Box::pin(async {})).await;
        }
    }

    /// What one host sends to another is dropped from now on. To be called by the test's own host.
    pub fn cut(&self, from: &str, to: &str) {
        turmoil::partition_oneway(from, to);
    }

    /// Ends all cuts between two hosts.
    pub fn mend(&self, one: &str, other: &str) {
        turmoil::repair(one, other);
    }

    /// What two hosts send to one another waits from now on.
    pub fn hold(&self, one: &str, other: &str) {
        turmoil::hold(one, other);
    }

    /// What was held arrives.
    pub fn release(&self, one: &str, other: &str) {
        turmoil::release(one, other);
    }

    /// Simulated time since the beginning.
    pub fn elapsed(&self) -> Duration {
        turmoil::sim_elapsed().unwrap_or_default()
    }

    /// Waits in simulated time.
    pub fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        Box::pin(async move { tokio::time::sleep(time).await })
    }
}

/// What runs on a host until it crashes.
async fn process(software: Option<BoxFuture<'static, ()>>) -> turmoil::Result {
    if let Some(software) = software {
        software.await;
    }
    std::future::pending().await
}

impl fmt::Debug for Lab {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lab(seed {})", self.0.seed)
    }
}

/// The host on which the test runs.
pub const DRIVER: &str = "driver";
/// A test that takes longer than this hangs.
pub const TIME_MAX: Duration = Duration::from_secs(4 * 3600);
/// When the world begins: some day in 2023, like the simulator's.
pub(crate) const EPOCH: Duration = Duration::from_secs(1_700_000_000);
