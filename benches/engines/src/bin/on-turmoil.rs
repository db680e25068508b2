//! On turmoil: TCP for the exchange, datagrams where order is the question.
#![cfg_attr(madsim, allow(unused))]

#[cfg(madsim)]
fn main() {}

#[cfg(not(madsim))]
fn main() {
    on::main();
}

#[cfg(not(madsim))]
mod on {
    use quark_engines::*;
    use std::net::Ipv4Addr;
    use std::sync::Arc;
    use std::sync::atomic::Ordering::Relaxed;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::{sleep, timeout};
    use turmoil::net::{TcpListener, TcpStream, UdpSocket};
    use turmoil::{Builder, Sim};

    pub fn main() {
        measure(
            "turmoil 0.7.2",
            ping_pong,
            [
                ("lost update", &lost_update),
                ("lease from receipt", &lease_from_receipt),
                ("retry executes twice", &retry_executes_twice),
            ],
        );
    }

    fn sim(seed: u64, latency_ms: (u64, u64)) -> Sim<'static> {
        Builder::new()
            .rng_seed(seed)
            .enable_random_order()
            .tick_duration(Duration::from_millis(1))
            .min_message_latency(Duration::from_millis(latency_ms.0))
            .max_message_latency(Duration::from_millis(latency_ms.1))
            .simulation_duration(Duration::from_secs(1_000_000))
            .build()
    }

    fn now() -> Duration {
        turmoil::sim_elapsed().unwrap_or_default()
    }

    const PORT: u16 = 9000;

    async fn socket() -> std::io::Result<UdpSocket> {
        UdpSocket::bind((Ipv4Addr::UNSPECIFIED, PORT)).await
    }

    fn ping_pong() {
        let mut sim = sim(1, (1, 1));
        sim.host("server", || async {
            let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT)).await?;
            let (mut stream, _) = listener.accept().await?;
            let mut word = [0];
            loop {
                stream.read_exact(&mut word).await?;
                stream.write_all(&word).await?;
            }
        });
        sim.client("client", async {
            let mut stream = TcpStream::connect(("server", PORT)).await?;
            for trip in 0..TRIPS {
                stream.write_all(&[trip as u8]).await?;
                let mut word = [0];
                stream.read_exact(&mut word).await?;
                assert_eq!(word[0], trip as u8);
            }
            std::mem::forget(stream); // the server would say that it was cut off
            Ok(())
        });
        sim.run().expect("the client ends");
    }

    /// turmoil's latencies are exponential; as even as it can be told to be, between 1 and 10 ms.
    fn uneven(seed: u64) -> Sim<'static> {
        let sim = sim(seed, (1, 10));
        sim.set_message_latency_curve(1.0);
        sim
    }

    fn lost_update(seed: u64) -> bool {
        let mut sim = uneven(seed);
        let board = Arc::new(Board::default());
        let register = board.clone();
        sim.host("server", move || {
            let register = register.clone();
            async move {
                let socket = socket().await?;
                let mut word = [0];
                loop {
                    socket.recv_from(&mut word).await?;
                    register.value.store(word[0].into(), Relaxed);
                }
            }
        });
        sim.client("client", async {
            let socket = socket().await?;
            socket.send_to(&[1], ("server", PORT)).await?;
            sleep(GAP).await;
            socket.send_to(&[2], ("server", PORT)).await?;
            sleep(Duration::from_millis(50)).await;
            Ok(())
        });
        sim.run().expect("the client ends");
        board.value.load(Relaxed) == 1
    }

    fn lease_from_receipt(seed: u64) -> bool {
        let mut sim = uneven(seed);
        let board = Arc::new(Board::default());
        let lessor = board.clone();
        sim.host("server", move || {
            let lessor = lessor.clone();
            async move {
                let socket = socket().await?;
                loop {
                    let (_, from) = socket.recv_from(&mut [0]).await?;
                    socket.send_to(&[lessor.grant(now()).into()], from).await?;
                }
            }
        });
        for me in 0..2 {
            let board = board.clone();
            sim.client(["one", "two"][me], async move {
                let socket = socket().await?;
                while now() < LEASE_RUN {
                    let mut granted = [0];
                    socket.send_to(&[0], ("server", PORT)).await?;
                    socket.recv_from(&mut granted).await?;
                    let mut pause = POLL;
                    if granted[0] == 1 {
                        pause = LEASE - MARGIN;
                        board.hold(me, now(), now() + pause);
                    }
                    sleep(pause).await;
                }
                Ok(())
            });
        }
        sim.run().expect("the clients end");
        board.is_violated()
    }

    fn retry_executes_twice(seed: u64) -> bool {
        let mut sim = uneven(seed);
        let board = Arc::new(Board::default());
        let sum = board.clone();
        sim.host("server", move || {
            let sum = sum.clone();
            async move {
                let socket = socket().await?;
                let mut call = [0];
                loop {
                    let (_, from) = socket.recv_from(&mut call).await?;
                    sum.value.fetch_add(1, Relaxed);
                    sleep(DISK).await;
                    socket.send_to(&call, from).await?;
                }
            }
        });
        let counts = board.clone();
        sim.client("client", async move {
            let socket = socket().await?;
            for call in 0..CALLS as u8 {
                loop {
                    socket.send_to(&[call], ("server", PORT)).await?;
                    let mut answer = [0];
                    let answered = timeout(PATIENCE, async {
                        while socket.recv_from(&mut answer).await.is_err() || answer[0] != call {}
                    });
                    if answered.await.is_ok() {
                        counts.done.fetch_add(1, Relaxed);
                        break;
                    }
                }
            }
            Ok(())
        });
        let (mut crashed, mut restarted) = (false, false);
        while !sim.step().expect("nobody fails") && sim.elapsed() < Duration::from_secs(3) {
            if !crashed && sim.elapsed() >= crash_at(seed) {
                sim.crash("server");
                crashed = true;
            }
            if crashed && !restarted && sim.elapsed() >= crash_at(seed) + DOWN {
                sim.bounce("server");
                restarted = true;
            }
        }
        board.done.load(Relaxed) == CALLS && board.is_doubled()
    }
}
