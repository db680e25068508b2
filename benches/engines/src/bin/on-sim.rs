//! On our own simulator: frames, one transport for each node.
#![cfg_attr(madsim, allow(unused))]

#[cfg(madsim)]
fn main() {}

#[cfg(not(madsim))]
fn main() {
    on::main();
}

#[cfg(not(madsim))]
mod on {
    use bytes::Bytes;
    use quark_core::wire::Lane;
    use quark_core::{Generation, SiloId, SiloName};
    use quark_engines::*;
    use quark_env::Env;
    use quark_env::transport::Incoming;
    use quark_sim::{Conditions, Config, NetworkConfig, NodeId, Spread, World, WorldHandle};
    use std::future::poll_fn;
    use std::sync::Arc;
    use std::sync::atomic::Ordering::Relaxed;
    use std::time::Duration;

    pub fn main() {
        measure(
            "quark-sim",
            ping_pong,
            [
                ("lost update", &lost_update),
                ("lease from receipt", &lease_from_receipt),
                ("retry executes twice", &retry_executes_twice),
            ],
        );
    }

    fn world(seed: u64, latency: Spread) -> World {
        let conditions = Conditions { latency, ..Conditions::CLEAR };
        let network = NetworkConfig { conditions, ..NetworkConfig::default() };
        World::new(Config { network, ..Config::new(seed) })
    }

    fn uneven(seed: u64) -> World {
        world(seed, Spread::Uniform { min: Duration::from_millis(1), max: Duration::from_millis(10) })
    }

    fn silo(name: &str, generation: u64) -> SiloId {
        SiloId::new(SiloName::new(name).expect("well formed"), Generation(generation))
    }

    fn env(world: &World, name: &str) -> (NodeId, Env) {
        let node = world.add_node(name);
        (node, world.env(node, silo(name, 1)))
    }

    async fn next(env: &Env) -> Vec<Incoming> {
        let mut out = Vec::new();
        poll_fn(|cx| env.transport.poll_recv(cx, &mut out, 16)).await;
        out
    }

    /// The next frame's sender and first byte.
    async fn heard(env: &Env) -> (SiloId, u8) {
        loop {
            for incoming in next(env).await {
                if let Incoming::Frame { from, bytes, .. } = incoming {
                    return (from, bytes[0]);
                }
            }
        }
    }

    fn say(env: &Env, to: SiloId, lane: Lane, word: u8) {
        let _ = env.transport.try_send(to, lane, Bytes::copy_from_slice(&[word])); // maybe: the link is down
    }

    fn ping_pong() {
        let mut world = world(1, Spread::Fixed(Duration::from_millis(1)));
        let ((a, client), (b, server)) = (env(&world, "client"), env(&world, "server"));
        client.transport.learn(silo("server", 1), "server:11111");
        world.spawn(b, "server", async move {
            loop {
                let (from, word) = heard(&server).await;
                say(&server, from, Lane::User, word);
            }
        });
        let done = Arc::new(Board::default());
        let board = done.clone();
        world.spawn(a, "client", async move {
            for trip in 0..TRIPS {
                say(&client, silo("server", 1), Lane::User, trip as u8);
                assert_eq!(heard(&client).await.1, trip as u8);
                board.done.fetch_add(1, Relaxed);
            }
        });
        while done.done.load(Relaxed) < TRIPS {
            world.run_for(Duration::from_secs(1));
        }
    }

    fn lost_update(seed: u64) -> bool {
        let mut world = uneven(seed);
        let ((a, client), (b, server)) = (env(&world, "client"), env(&world, "server"));
        client.transport.learn(silo("server", 1), "server:11111");
        let board = Arc::new(Board::default());
        let register = board.clone();
        world.spawn(b, "server", async move {
            loop {
                let (from, word) = heard(&server).await;
                match word {
                    0 => say(&server, from, Lane::User, 0),
                    value => register.value.store(value.into(), Relaxed),
                }
            }
        });
        let handle = world.handle();
        world.spawn(a, "client", async move {
            // Both connections stand.
            for lane in [Lane::Control, Lane::User] {
                say(&client, silo("server", 1), lane, 0);
                heard(&client).await;
            }
            say(&client, silo("server", 1), Lane::Control, 1);
            handle.sleep(GAP).await;
            say(&client, silo("server", 1), Lane::User, 2);
        });
        world.run_for(Duration::from_millis(100));
        board.value.load(Relaxed) == 1
    }

    fn now(world: &WorldHandle) -> Duration {
        Duration::from_nanos(world.now_true().0)
    }

    fn lease_from_receipt(seed: u64) -> bool {
        let mut world = uneven(seed);
        let (b, server) = env(&world, "server");
        let board = Arc::new(Board::default());
        let (lessor, handle) = (board.clone(), world.handle());
        world.spawn(b, "server", async move {
            loop {
                let (from, _) = heard(&server).await;
                say(&server, from, Lane::User, lessor.grant(now(&handle)).into());
            }
        });
        for me in 0..2 {
            let (node, client) = env(&world, ["one", "two"][me]);
            client.transport.learn(silo("server", 1), "server:11111");
            let (board, handle) = (board.clone(), world.handle());
            world.spawn(node, "client", async move {
                while now(&handle) < LEASE_RUN {
                    say(&client, silo("server", 1), Lane::User, 0);
                    let (_, granted) = heard(&client).await;
                    let mut pause = POLL;
                    if granted == 1 {
                        // On its own clock, which drifts as the engine has it.
                        pause = LEASE - MARGIN;
                        board.hold(me, now(&handle), now(&handle) + pause);
                    }
                    client.clock.sleep_until(client.clock.now() + pause).await;
                }
            });
        }
        world.run_for(LEASE_RUN);
        board.is_violated()
    }

    fn serve_sum(world: &WorldHandle, node: NodeId, env: Env, board: Arc<Board>) {
        world.spawn(node, "server", async move {
            loop {
                let (from, call) = heard(&env).await;
                board.value.fetch_add(1, Relaxed);
                env.clock.sleep_until(env.clock.now() + DISK).await;
                say(&env, from, Lane::User, call);
            }
        });
    }

    fn retry_executes_twice(seed: u64) -> bool {
        let mut world = uneven(seed);
        let ((a, client), (b, server)) = (env(&world, "client"), env(&world, "server"));
        client.transport.learn(silo("server", 1), "server:11111");
        let board = Arc::new(Board::default());
        serve_sum(&world, b, server, board.clone());
        let (counts, handle) = (board.clone(), world.handle());
        world.spawn(a, "client", async move {
            let mut generation = 1;
            for call in 0..CALLS {
                loop {
                    say(&client, silo("server", generation), Lane::User, call as u8);
                    let patience = handle.sleep(PATIENCE);
                    if answered(&client, call as u8, patience).await {
                        counts.done.fetch_add(1, Relaxed);
                        break;
                    }
                    // Whoever answers there now.
                    generation =
                        if handle.now_true().0 > (crash_at(seed) + DOWN).as_nanos() as u64 { 2 } else { 1 };
                    client.transport.learn(silo("server", generation), "server:11111");
                }
            }
        });
        world.run_for(crash_at(seed));
        world.crash(b);
        world.run_for(DOWN);
        let host = world.restart(b);
        let reborn = host.env(silo("server", 2));
        serve_sum(&world, b, reborn, board.clone());
        while board.done.load(Relaxed) < CALLS && world.now_true().0 < 3_000_000_000 {
            world.run_for(Duration::from_millis(100));
        }
        board.done.load(Relaxed) == CALLS && board.is_doubled()
    }

    /// Whether this call is answered before the patience ends.
    async fn answered(env: &Env, call: u8, patience: impl Future<Output = ()>) -> bool {
        let mut patience = std::pin::pin!(patience);
        let mut out = Vec::new();
        loop {
            let is_over = poll_fn(|cx| {
                if env.transport.poll_recv(cx, &mut out, 16).is_ready() {
                    return std::task::Poll::Ready(false);
                }
                patience.as_mut().poll(cx).map(|()| true)
            });
            if is_over.await {
                return false;
            }
            let is_it =
                |incoming: Incoming| matches!(incoming, Incoming::Frame { bytes, .. } if bytes[0] == call);
            if out.drain(..).any(is_it) {
                return true;
            }
        }
    }
}
