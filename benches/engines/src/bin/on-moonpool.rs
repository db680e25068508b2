//! On moonpool: its streams, its processes and its reboots, with the network that a builder gives by default.
#![cfg_attr(madsim, allow(unused))]

#[cfg(madsim)]
fn main() {}

#[cfg(not(madsim))]
fn main() {
    on::main();
}

#[cfg(not(madsim))]
mod on {
    use async_trait::async_trait;
    use futures::io::{AsyncReadExt, AsyncWriteExt};
    use moonpool_sim::*;
    use quark_engines::{Board, CALLS, DISK, DOWN, LEASE, LEASE_RUN, PATIENCE, TRIPS, crash_at, measure};
    use std::sync::Arc;
    use std::sync::atomic::Ordering::Relaxed;
    use std::time::Duration;

    pub fn main() {
        measure(
            "moonpool-sim 0.8.0",
            ping_pong,
            [
                ("lost update", &lost_update),
                ("lease from receipt", &lease_from_receipt),
                ("retry executes twice", &retry_executes_twice),
            ],
        );
    }

    /// Its messages take 100 to 600 µs by default, an eighteenth of what they take elsewhere: so do these.
    const GAP: Duration = Duration::from_micros(444);
    const MARGIN: Duration = Duration::from_micros(333);
    const AGREED: Duration = Duration::from_millis(100);
    const POLL: Duration = Duration::from_micros(278);

    #[derive(Clone, Copy, PartialEq)]
    enum What {
        Echo,
        Register,
        Lease,
        Sum,
    }

    /// A word and its complement: the engine flips bits.
    async fn heard(stream: &mut (impl futures::io::AsyncRead + Unpin)) -> Option<u8> {
        let mut word = [0; 2];
        stream.read_exact(&mut word).await.ok()?;
        (word[0] == !word[1]).then_some(word[0])
    }

    async fn say(stream: &mut (impl futures::io::AsyncWrite + Unpin), word: u8) -> bool {
        stream.write_all(&[word, !word]).await.is_ok()
    }

    struct Server(What, Arc<Board>);

    #[async_trait]
    impl Process for Server {
        fn name(&self) -> &'static str {
            "server"
        }

        async fn run(&mut self, ctx: &SimContext) -> SimulationResult<()> {
            let listener = ctx.network().bind(ctx.my_ip()).await?;
            loop {
                let Ok((mut stream, _)) = listener.accept().await else { continue };
                let (what, board, time) = (self.0, self.1.clone(), ctx.time().clone());
                ctx.task().spawn_task("connection", async move {
                    while let Some(word) = heard(&mut stream).await {
                        let answer = match what {
                            What::Echo => word,
                            What::Register if word == 0 => 0,
                            What::Register => {
                                board.value.store(word.into(), Relaxed);
                                board.done.fetch_add(1, Relaxed);
                                continue;
                            }
                            What::Lease => board.grant(time.now()).into(),
                            What::Sum => {
                                board.value.fetch_add(1, Relaxed);
                                let _ = time.sleep(DISK).await;
                                word
                            }
                        };
                        if !say(&mut stream, answer).await {
                            return;
                        }
                    }
                });
            }
        }
    }

    struct Client(What, usize, Arc<Board>);

    #[async_trait]
    impl Workload for Client {
        fn name(&self) -> &str {
            ["one", "two"][self.1]
        }

        async fn run(&mut self, ctx: &SimContext) -> SimulationResult<()> {
            let server = ctx.topology().all_process_ips()[0].clone();
            let (board, time) = (&self.2, ctx.time());
            match self.0 {
                What::Echo => {
                    let mut stream = ctx.network().connect(&server).await?;
                    for trip in 0..TRIPS {
                        loop {
                            if say(&mut stream, trip as u8).await
                                && heard(&mut stream).await == Some(trip as u8)
                            {
                                break;
                            }
                            stream = ctx.network().connect(&server).await?;
                        }
                    }
                }
                What::Register => {
                    // Two clients, each with a connection: they write at moments agreed on.
                    let mut stream = ctx.network().connect(&server).await?;
                    say(&mut stream, 0).await;
                    heard(&mut stream).await;
                    let at = AGREED + GAP * self.1 as u32;
                    let _ = time.sleep(at.saturating_sub(time.now())).await;
                    say(&mut stream, self.1 as u8 + 1).await;
                    let _ = time.sleep(Duration::from_millis(200)).await;
                }
                What::Lease => {
                    let began = time.now();
                    let mut stream = ctx.network().connect(&server).await?;
                    while time.now() - began < LEASE_RUN {
                        let mut pause = POLL;
                        let granted = if say(&mut stream, 0).await { heard(&mut stream).await } else { None };
                        match granted {
                            Some(1) => {
                                pause = LEASE - MARGIN;
                                board.hold(self.1, time.now(), time.now() + pause);
                            }
                            Some(_) => {}
                            None => stream = ctx.network().connect(&server).await?,
                        }
                        let _ = time.sleep(pause).await;
                    }
                }
                What::Sum => add(ctx, &server, board).await,
            }
            Ok(())
        }
    }

    async fn add(ctx: &SimContext, server: &str, board: &Board) {
        let mut link = None;
        for call in 0..CALLS as u8 {
            loop {
                if link.is_none() {
                    link = ctx
                        .time()
                        .timeout(PATIENCE, ctx.network().connect(server))
                        .await
                        .ok()
                        .and_then(Result::ok);
                }
                let Some(stream) = &mut link else {
                    let _ = ctx.time().sleep(Duration::from_millis(5)).await;
                    continue;
                };
                let asked = ctx.time().timeout(PATIENCE, async {
                    say(stream, call).await && heard(stream).await == Some(call)
                });
                if matches!(asked.await, Ok(true)) {
                    board.done.fetch_add(1, Relaxed);
                    break;
                }
                link = None;
            }
        }
    }

    /// One crash at the moment that the seed decides.
    struct CrashOnce(u64);

    #[async_trait]
    impl FaultInjector for CrashOnce {
        fn name(&self) -> &'static str {
            "crash once"
        }

        async fn inject(&mut self, ctx: &FaultContext) -> SimulationResult<()> {
            // Calls take a tenth of what they take elsewhere: so does the time in which the crash comes.
            let _ = ctx.time().sleep(crash_at(self.0) / 6).await;
            let down = DOWN.as_millis() as usize;
            let ip = ctx.process_ips()[0].clone();
            ctx.reboot_with_delays(&ip, RebootKind::Crash, &(down..down + 1), &(1..2))?;
            ctx.chaos_shutdown().cancelled().await;
            Ok(())
        }
    }

    fn run(seed: u64, what: What, clients: usize) -> Arc<Board> {
        let board = Arc::new(Board::default());
        let of_server = board.clone();
        let mut builder = SimulationBuilder::new()
            .processes(1, move || Box::new(Server(what, of_server.clone())))
            .set_iterations(1)
            .set_debug_seeds(vec![seed + 1]);
        for me in 0..clients {
            builder = builder.workload(Client(what, me, board.clone()));
        }
        if what == What::Sum {
            builder = builder.fault(CrashOnce(seed)).chaos_duration(Duration::from_secs(1));
        }
        builder.run();
        board
    }

    fn ping_pong() {
        run(1, What::Echo, 1);
    }

    /// Both writes have come, in the wrong order. The engine also refuses connections and flips bits: a write that never
    /// comes is no lost update.
    fn lost_update(seed: u64) -> bool {
        let board = run(seed, What::Register, 2);
        board.done.load(Relaxed) == 2 && board.value.load(Relaxed) == 1
    }

    fn lease_from_receipt(seed: u64) -> bool {
        run(seed, What::Lease, 2).is_violated()
    }

    fn retry_executes_twice(seed: u64) -> bool {
        let board = run(seed, What::Sum, 1);
        board.done.load(Relaxed) == CALLS && board.is_doubled()
    }
}
