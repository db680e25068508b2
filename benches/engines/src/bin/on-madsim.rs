//! On madsim: its endpoints, which carry messages. Built with `--cfg madsim`, or it is the real world.

#[cfg(not(madsim))]
fn main() {
    eprintln!("build this with RUSTFLAGS=\"--cfg madsim\"");
    std::process::exit(2);
}

#[cfg(madsim)]
fn main() {
    on::main();
}

#[cfg(madsim)]
mod on {
    use madsim::net::Endpoint;
    use madsim::runtime::{Handle, Runtime};
    use madsim::time::{sleep, timeout};
    use madsim::{Config, task};
    use quark_engines::*;
    use std::net::SocketAddr;
    use std::sync::Arc;
    use std::sync::atomic::Ordering::Relaxed;
    use std::time::{Duration, Instant};

    pub fn main() {
        measure(
            "madsim 0.2.34",
            ping_pong,
            [
                ("lost update", &lost_update),
                ("lease from receipt", &lease_from_receipt),
                ("retry executes twice", &retry_executes_twice),
            ],
        );
    }

    fn runtime(seed: u64, latency: std::ops::Range<Duration>) -> Runtime {
        let mut config = Config::default();
        config.net.send_latency = latency;
        Runtime::with_seed_and_config(seed, config)
    }

    fn uneven(seed: u64) -> Runtime {
        runtime(seed, Duration::from_millis(1)..Duration::from_millis(10))
    }

    fn address(node: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, node], 1))
    }

    async fn endpoint(node: u8) -> Endpoint {
        Endpoint::bind(address(node)).await.expect("nobody else is on this node")
    }

    const ASK: u64 = 1;
    const ANSWER: u64 = 2;

    async fn heard(endpoint: &Endpoint, tag: u64) -> (u8, SocketAddr) {
        let mut word = [0];
        let (_, from) = endpoint.recv_from(tag, &mut word).await.expect("it is bound");
        (word[0], from)
    }

    async fn say(endpoint: &Endpoint, to: SocketAddr, tag: u64, word: u8) {
        let _ = endpoint.send_to(to, tag, &[word]).await; // maybe: nobody is there
    }

    fn ping_pong() {
        let one_ms = Duration::from_millis(1);
        let runtime = runtime(1, one_ms..one_ms + Duration::from_nanos(1));
        runtime.block_on(async {
            let handle = Handle::current();
            let server = handle.create_node().ip(address(1).ip()).build();
            let client = handle.create_node().ip(address(2).ip()).build();
            server.spawn(async {
                let endpoint = endpoint(1).await;
                loop {
                    let (word, from) = heard(&endpoint, ASK).await;
                    say(&endpoint, from, ANSWER, word).await;
                }
            });
            sleep(one_ms).await;
            let asking = client.spawn(async {
                let endpoint = endpoint(2).await;
                for trip in 0..TRIPS {
                    say(&endpoint, address(1), ASK, trip as u8).await;
                    assert_eq!(heard(&endpoint, ANSWER).await.0, trip as u8);
                }
            });
            asking.await.expect("the client ends");
        });
    }

    fn lost_update(seed: u64) -> bool {
        let board = Arc::new(Board::default());
        let register = board.clone();
        uneven(seed).block_on(async move {
            let handle = Handle::current();
            let server = handle.create_node().ip(address(1).ip()).build();
            let client = handle.create_node().ip(address(2).ip()).build();
            server.spawn(async move {
                let endpoint = endpoint(1).await;
                loop {
                    let (value, _) = heard(&endpoint, ASK).await;
                    register.value.store(value.into(), Relaxed);
                }
            });
            sleep(Duration::from_millis(1)).await;
            let writing = client.spawn(async {
                let endpoint = Arc::new(endpoint(2).await);
                // A send waits until it is delivered: the two writes are two tasks.
                let first = endpoint.clone();
                task::spawn(async move { say(&first, address(1), ASK, 1).await });
                sleep(GAP).await;
                say(&endpoint, address(1), ASK, 2).await;
                sleep(Duration::from_millis(50)).await;
            });
            writing.await.expect("the client ends");
        });
        board.value.load(Relaxed) == 1
    }

    fn lease_from_receipt(seed: u64) -> bool {
        let board = Arc::new(Board::default());
        let seen = board.clone();
        uneven(seed).block_on(async move {
            let handle = Handle::current();
            let began = Instant::now();
            let server = handle.create_node().ip(address(1).ip()).build();
            let lessor = board.clone();
            server.spawn(async move {
                let endpoint = endpoint(1).await;
                loop {
                    let (_, from) = heard(&endpoint, ASK).await;
                    say(&endpoint, from, ANSWER, lessor.grant(began.elapsed()).into()).await;
                }
            });
            sleep(Duration::from_millis(1)).await;
            let clients: Vec<_> = (0..2)
                .map(|me: usize| {
                    let node = handle.create_node().ip(address(me as u8 + 2).ip()).build();
                    let board = board.clone();
                    node.spawn(async move {
                        let endpoint = endpoint(me as u8 + 2).await;
                        while began.elapsed() < LEASE_RUN {
                            say(&endpoint, address(1), ASK, 0).await;
                            let (granted, _) = heard(&endpoint, ANSWER).await;
                            let mut pause = POLL;
                            if granted == 1 {
                                pause = LEASE - MARGIN;
                                board.hold(me, began.elapsed(), began.elapsed() + pause);
                            }
                            sleep(pause).await;
                        }
                    })
                })
                .collect();
            for client in clients {
                client.await.expect("the client ends");
            }
        });
        seen.is_violated()
    }

    fn retry_executes_twice(seed: u64) -> bool {
        let board = Arc::new(Board::default());
        let seen = board.clone();
        uneven(seed).block_on(async move {
            let handle = Handle::current();
            let sum = board.clone();
            let server = handle
                .create_node()
                .ip(address(1).ip())
                .init(move || {
                    let sum = sum.clone();
                    async move {
                        let endpoint = endpoint(1).await;
                        loop {
                            let (call, from) = heard(&endpoint, ASK).await;
                            sum.value.fetch_add(1, Relaxed);
                            sleep(DISK).await;
                            say(&endpoint, from, ANSWER, call).await;
                        }
                    }
                })
                .build();
            let client = handle.create_node().ip(address(2).ip()).build();
            let counts = board.clone();
            let adding = client.spawn(async move {
                let endpoint = endpoint(2).await;
                for call in 0..CALLS as u8 {
                    loop {
                        let asked = timeout(PATIENCE, async {
                            say(&endpoint, address(1), ASK, call).await;
                            while heard(&endpoint, ANSWER).await.0 != call {}
                        });
                        if asked.await.is_ok() {
                            counts.done.fetch_add(1, Relaxed);
                            break;
                        }
                    }
                }
            });
            sleep(crash_at(seed)).await;
            handle.kill(server.id());
            sleep(DOWN).await;
            handle.restart(server.id());
            let _ = timeout(Duration::from_secs(3), adding).await;
        });
        seen.done.load(Relaxed) == CALLS && seen.is_doubled()
    }
}
