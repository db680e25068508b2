//! What the kernel promises to an actor and its callers, one fact at a time, in a calm world.

use quark::env::store::RecordKey;
use quark::{
    ActorContext, CallError, CallFilter, Deserialize, Failure, Happened, Serialize, Silo, SiloBuilder,
};
use quark_core::ActorId;
use quark_scenarios::bank::Account;
use quark_sim::{Config, World};
use quark_testkit::sim::SimCluster;
use quark_testkit::stage::Stage;
use std::sync::Arc;
use std::time::Duration;

/// Does what it is told.
#[derive(Default)]
struct Probe {
    seen: Vec<u32>,
    activated: bool,
}

#[quark::actor(kind = "probe")]
impl Probe {
    #[quark(on_activate)]
    async fn wake(&mut self) {
        self.activated = true;
    }

    fn is_awake(&self) -> bool {
        self.activated
    }

    fn panic(&mut self) {
        panic!("told to");
    }

    async fn rest(&mut self, ctx: &ActorContext, milliseconds: u64) -> u64 {
        ctx.sleep(Duration::from_millis(milliseconds)).await;
        milliseconds
    }

    async fn look(&self, ctx: &ActorContext, milliseconds: u64) -> u64 {
        ctx.sleep(Duration::from_millis(milliseconds)).await;
        milliseconds
    }

    async fn call_path(&mut self, ctx: &ActorContext, path: Vec<String>) -> Result<u32, String> {
        let Some((next, rest)) = path.split_first() else { return Ok(0) };
        let answer = ctx.actor::<Probe>(next).call_path(rest.to_vec()).await;
        answer.map(|depth| depth + 1).map_err(|error| error.to_string())
    }

    fn note(&mut self, number: u32) {
        self.seen.push(number);
    }

    fn note_and_show(&mut self, number: u32, bytes: usize) -> String {
        self.seen.push(number);
        "x".repeat(bytes)
    }

    fn noted(&self) -> Vec<u32> {
        self.seen.clone()
    }

    async fn send_notes(&mut self, ctx: &ActorContext, to: String, count: u32) {
        let to = ctx.actor::<Probe>(&to);
        for number in 0..count {
            to.note(number).tell().expect("the link has room");
        }
    }

    async fn tag(&self, ctx: &ActorContext, via: Vec<String>) -> Option<String> {
        match via.split_first() {
            Some((next, rest)) => ctx.actor::<Probe>(next).tag(rest.to_vec()).await.ok().flatten(),
            None => ctx.header("tag").map(str::to_owned),
        }
    }

    fn remaining_ms(&self, ctx: &ActorContext) -> u64 {
        ctx.remaining().map_or(u64::MAX, |left| left.as_millis() as u64)
    }
}

#[derive(Default, Serialize, Deserialize)]
struct Ledger {
    lines: Vec<String>,
}

#[quark::actor(kind = "ledger", durable)]
impl Ledger {
    fn append(&mut self, line: String) -> usize {
        self.lines.push(line);
        self.lines.len()
    }

    fn append_and_panic(&mut self, line: String) {
        self.lines.push(line);
        panic!("after the change");
    }

    fn append_and_show(&mut self, bytes: usize) -> String {
        self.lines.push("shown".into());
        "x".repeat(bytes)
    }

    fn count(&self) -> usize {
        self.lines.len()
    }
}

fn kinds(builder: SiloBuilder) -> SiloBuilder {
    builder.actor::<Probe>().actor::<Ledger>().actor::<Account>()
}

fn in_world<F: Future<Output = ()>>(
    names: &'static [&'static str],
    describe: fn(SiloBuilder) -> SiloBuilder,
    story: impl FnOnce(SimCluster) -> F,
) {
    let mut world = World::new(Config::calm(7));
    let cluster = SimCluster::new(world.handle(), "kernel", Arc::new(describe), None);
    world.block_on(async {
        cluster.start_all(names).await;
        while !cluster.has_converged() {
            cluster.sleep(Duration::from_millis(50)).await;
        }
        story(cluster).await;
    });
}

fn first(cluster: &SimCluster) -> Silo {
    cluster.silos().remove(0).1
}

/// A key of this kind whose range this silo owns.
fn key_on(cluster: &SimCluster, silo: &str, kind: &str) -> String {
    let silo = cluster.silo(silo).expect("it runs");
    let ring = quark_core::ring::Ring::shared_of_view(&silo.view());
    (0..10_000)
        .map(|n| format!("key-{n}"))
        .find(|key| ring.owner(ActorId::new(kind, key).expect("valid").point()) == Some(silo.id()))
        .expect("every silo owns some of ten thousand keys")
}

#[test]
fn a_panic_ends_the_activation_and_not_the_silo() {
    in_world(&["a"], kinds, |cluster| async move {
        let probe = first(&cluster).client().actor::<Probe>("p");
        probe.note(1).await.expect("serves");
        let error = probe.panic().await.expect_err("panics");
        assert!(matches!(error.failure(), Some(Failure::Panicked { message }) if message == "told to"));
        assert_eq!(probe.noted().await.expect("a fresh activation serves"), Vec::<u32>::new());
        assert!(probe.is_awake().await.expect("serves"), "its hook ran again");
    });
}

#[test]
fn repeated_panics_end_in_quarantine_and_it_ends_too() {
    in_world(&["a"], kinds, |cluster| async move {
        let probe = first(&cluster).client().actor::<Probe>("p");
        for _ in 0..4 {
            let error = probe.panic().await.expect_err("panics");
            assert!(matches!(error.failure(), Some(Failure::Panicked { .. })), "{error}");
        }
        let error = probe.noted().await.expect_err("quarantined");
        assert!(matches!(error.failure(), Some(Failure::Quarantined { .. })), "{error}");
        cluster.sleep(Duration::from_secs(31)).await;
        assert!(probe.noted().await.is_ok());
    });
}

#[test]
fn a_panic_after_a_change_leaves_the_committed_state() {
    in_world(&["a", "b"], kinds, |cluster| async move {
        let ledger = first(&cluster).client().actor::<Ledger>("l");
        assert_eq!(ledger.append("one".into()).await.expect("commits"), 1);
        ledger.append_and_panic("two".into()).await.expect_err("panics");
        assert_eq!(ledger.count().await.expect("serves"), 1);
    });
}

#[test]
fn a_turn_whose_result_cannot_be_told_has_not_happened_or_says_that_it_is_unknown() {
    in_world(&["a"], kinds, |cluster| async move {
        let client = first(&cluster).client();
        let (ledger, too_much) = (client.actor::<Ledger>("l"), 5 << 20);
        assert_eq!(ledger.append("one".into()).await, Ok(1));
        for key in [None, Some(9), Some(9)] {
            let call = ledger.append_and_show(too_much);
            let call = if let Some(key) = key { call.idempotency_key(key) } else { call };
            let failure = call.await.expect_err("it is too large").failure().cloned().expect("a failure");
            assert!(matches!(failure, Failure::TooLarge { .. } | Failure::BadArguments { .. }), "{failure}");
            assert_eq!((failure.happened(), ledger.count().await), (Happened::No, Ok(1)));
        }

        let probe = client.actor::<Probe>("p");
        let failure = probe.note_and_show(7, too_much).await.expect_err("it is too large");
        let failure = failure.failure().cloned().expect("a failure");
        assert_eq!((failure.happened(), probe.noted().await), (Happened::Unknown, Ok(vec![7])), "{failure}");
    });
}

#[test]
fn a_cycle_is_an_error_at_once_and_names_its_path() {
    in_world(&["a", "b", "c"], kinds, |cluster| async move {
        let keys = ["a", "b", "c"].map(|silo| key_on(&cluster, silo, "probe"));
        let start = cluster.now();
        let path = vec![keys[1].clone(), keys[2].clone(), keys[0].clone()];
        let probe = first(&cluster).client().actor::<Probe>(&keys[0]);
        let CallError::App(error) = probe.call_path(path).await.expect_err("a cycle") else {
            panic!("the innermost failure comes back as the actors' own error");
        };
        assert!(error.contains("deadlock"), "{error}");
        for key in keys {
            assert!(error.contains(&key), "{error} names {key}");
        }
        assert!(cluster.now().since(start) < Duration::from_millis(100), "not by a deadline");
    });
}

#[test]
fn shared_turns_interleave_and_exclusive_ones_do_not() {
    in_world(&["a"], kinds, |cluster| async move {
        let probe = first(&cluster).client().actor::<Probe>("p");
        let start = cluster.now();
        let together = futures_util::future::join_all((0..10).map(|_| probe.look(100).into_future()));
        assert!(together.await.iter().all(Result::is_ok));
        assert!(cluster.now().since(start) < Duration::from_millis(150), "side by side");
        let start = cluster.now();
        let in_turn = futures_util::future::join_all((0..10).map(|_| probe.rest(100).into_future()));
        assert!(in_turn.await.iter().all(Result::is_ok));
        assert!(cluster.now().since(start) >= Duration::from_secs(1), "one after another");
    });
}

#[test]
fn a_full_mailbox_is_an_answer() {
    fn small(builder: SiloBuilder) -> SiloBuilder {
        kinds(builder).config(quark::SiloConfig { mailbox_messages_max: 5, ..Default::default() })
    }
    in_world(&["a"], small, |cluster| async move {
        let probe = first(&cluster).client().actor::<Probe>("p");
        let calls = futures_util::future::join_all((0..10).map(|_| probe.rest(50).into_future()));
        let answers = calls.await;
        let overloaded = answers
            .iter()
            .filter(|a| a.as_ref().is_err_and(|e| matches!(e.failure(), Some(Failure::Overloaded { .. }))))
            .count();
        assert_eq!((answers.iter().filter(|a| a.is_ok()).count(), overloaded), (6, 4));
    });
}

#[test]
fn a_deadline_ends_the_call_and_nothing_starts_past_it() {
    in_world(&["a", "b"], kinds, |cluster| async move {
        let key = key_on(&cluster, "b", "probe");
        let probe = cluster.silo("a").expect("runs").client().actor::<Probe>(&key);
        let start = cluster.now();
        let long = probe.rest(5000).deadline(Duration::from_millis(200)).into_future();
        let queued = probe.note(9).deadline(Duration::from_millis(300)).into_future();
        let (long, queued) = futures_util::future::join(long, queued).await;
        assert_eq!(long.expect_err("late").failure().expect("failed").happened(), Happened::Unknown);
        assert!(queued.is_err());
        assert!(
            cluster.now().since(start) <= Duration::from_millis(320),
            "a tick after the deadline at most"
        );
        assert_eq!(probe.noted().await.expect("serves"), Vec::<u32>::new(), "it never ran");
        let left = probe.remaining_ms().deadline(Duration::from_secs(2)).await.expect("serves");
        assert!((1900..=2000).contains(&left), "the deadline travels as time remaining: {left}");
    });
}

#[test]
fn a_dropped_ask_withdraws_a_queued_call_and_cuts_no_running_turn() {
    in_world(&["a", "b"], kinds, |cluster| async move {
        let key = key_on(&cluster, "b", "probe");
        let probe = cluster.silo("a").expect("runs").client().actor::<Probe>(&key);
        let busy = probe.rest(500).into_future();
        let dropped = probe.note(1).into_future();
        let world = cluster.world().clone();
        let both = async move {
            let mut dropped = dropped;
            let poll_once = std::future::poll_fn(|cx| {
                let _ = dropped.as_mut().poll(cx);
                std::task::Poll::Ready(())
            });
            poll_once.await;
            world.sleep(Duration::from_millis(100)).await;
            drop(dropped);
        };
        let (busy, ()) = futures_util::future::join(busy, async {
            cluster.sleep(Duration::from_millis(20)).await;
            both.await;
        })
        .await;
        assert_eq!(busy.expect("a running turn is never cut short"), 500);
        assert_eq!(probe.noted().await.expect("serves"), Vec::<u32>::new(), "it was withdrawn");
        assert_eq!(cluster.silo("a").expect("runs").status().pending, 0);
    });
}

#[test]
fn tells_of_one_actor_arrive_in_order() {
    in_world(&["a", "b"], kinds, |cluster| async move {
        let (from, to) = (key_on(&cluster, "a", "probe"), key_on(&cluster, "b", "probe"));
        let client = first(&cluster).client();
        client.actor::<Probe>(&from).send_notes(to.clone(), 100).await.expect("sends");
        cluster.sleep(Duration::from_secs(1)).await;
        let noted = client.actor::<Probe>(&to).noted().await.expect("serves");
        assert_eq!(noted, (0..100).collect::<Vec<u32>>());
    });
}

#[test]
fn request_context_flows_through_three_silos() {
    in_world(&["a", "b", "c"], kinds, |cluster| async move {
        let keys = ["a", "b", "c"].map(|silo| key_on(&cluster, silo, "probe"));
        let probe = cluster.client("outside").await.actor::<Probe>(&keys[0]);
        let tag = probe.tag(vec![keys[1].clone(), keys[2].clone()]).header("tag", "blue").await;
        assert_eq!(tag.expect("serves").as_deref(), Some("blue"));
    });
}

#[test]
fn an_idle_activation_is_collected_and_comes_back_with_its_state() {
    fn brief(builder: SiloBuilder) -> SiloBuilder {
        kinds(builder).config(quark::SiloConfig { idle_after: Duration::from_secs(10), ..Default::default() })
    }
    in_world(&["a", "b"], brief, |cluster| async move {
        let ledger = first(&cluster).client().actor::<Ledger>("l");
        ledger.append("one".into()).await.expect("commits");
        let active = |c: &SimCluster| c.silos().iter().map(|(_, s)| s.status().activations).sum::<usize>();
        assert_eq!(active(&cluster), 1);
        cluster.sleep(Duration::from_secs(15)).await;
        assert_eq!(active(&cluster), 0);
        let entries: usize = cluster.silos().iter().map(|(_, s)| s.status().entries).sum();
        assert_eq!(entries, 0, "its owner has forgotten it");
        assert_eq!(ledger.count().await.expect("serves"), 1);
    });
}

#[test]
fn a_filter_refuses_with_its_reason() {
    struct NoNotes;
    impl CallFilter for NoNotes {
        fn incoming(&self, _: &ActorId, method: &str, _: &[(String, String)]) -> Result<(), String> {
            if method == "note" { Err("no notes today".into()) } else { Ok(()) }
        }
    }
    fn filtered(builder: SiloBuilder) -> SiloBuilder {
        kinds(builder).filter(Arc::new(NoNotes))
    }
    in_world(&["a"], filtered, |cluster| async move {
        let probe = first(&cluster).client().actor::<Probe>("p");
        let error = probe.note(1).await.expect_err("refused");
        assert!(matches!(error.failure(), Some(Failure::Rejected { reason }) if reason == "no notes today"));
        assert!(probe.noted().await.is_ok());
    });
}

#[test]
fn an_unknown_kind_names_those_that_there_are() {
    in_world(&["a", "b"], kinds, |cluster| async move {
        let client = first(&cluster).client();
        let nobody = client.handle(ActorId::new("nobody", "x").expect("valid"));
        let method = <Probe as quark::Actor>::contract().method_named("noted").expect("it has one");
        let call = nobody.call_json(method, &serde_json::json!({}), None).expect("no arguments");
        let error = call.await.expect_err("unknown");
        assert!(error.to_string().contains("account, ledger, probe"), "{error}");
    });
}

#[test]
fn a_corrupt_record_is_said_and_never_guessed() {
    in_world(&["a"], kinds, |cluster| async move {
        let client = first(&cluster).client();
        let ledger = client.actor::<Ledger>("l");
        ledger.append("one".into()).await.expect("commits");
        let world = cluster.world();
        let partition = world
            .partitions()
            .into_iter()
            .find(|p| p.0.contains("ledger"))
            .expect("the ledger has a partition");
        assert!(world.corrupt_record(&RecordKey { partition, row: "state".into() }, "a flipped bit"));
        cluster.crash("a");
        cluster.start("a").await.expect("starts again");
        cluster.sleep(Duration::from_secs(8)).await;
        let error = first(&cluster).client().actor::<Ledger>("l").count().await.expect_err("corrupt");
        assert!(matches!(error.failure(), Some(Failure::Corrupt { .. })), "{error}");
    });
}

#[test]
fn a_client_fails_over_to_another_gateway() {
    in_world(&["a", "b", "c"], kinds, |cluster| async move {
        let connection = cluster.connect("outside", quark::ClientConfig::default());
        let ledger = connection.client().actor::<Ledger>("l");
        ledger.append("one".into()).await.expect("commits");
        let gateway = connection.gateway().expect("it has one").name.to_string();
        cluster.crash(&gateway);
        cluster.sleep(Duration::from_secs(8)).await;
        assert_eq!(ledger.count().await.expect("served through another one"), 1);
        assert_ne!(connection.gateway().expect("it has one").name.to_string(), gateway);
    });
}

#[test]
fn a_client_that_repeats_its_calls_leaves_a_silent_gateway_though_the_others_once_failed() {
    in_world(&["a", "b", "c"], kinds, |cluster| async move {
        let connection = cluster.connect("outside", quark::ClientConfig::default());
        let ledger = connection.client().actor::<Ledger>("l");
        ledger.append("one".into()).await.expect("commits");
        let gateway = connection.gateway().expect("it has one").name.to_string();
        let others: Vec<&str> = ["a", "b", "c"].into_iter().filter(|name| *name != gateway).collect();
        // Its links to the others break, and they have nothing to say to it afterwards.
        cluster.partition(&[&["outside"], &others]);
        cluster.sleep(Duration::from_secs(10)).await;
        cluster.heal();
        // While it repeats its calls, the gateway falls silent; its process stays, and its links with it.
        cluster.pause(&gateway);
        let start = cluster.now();
        loop {
            let call = ledger.append("two".into()).idempotency_key(2).deadline(Duration::from_millis(900));
            if call.await.is_ok() {
                break;
            }
            let waited = cluster.now().since(start);
            assert!(waited < Duration::from_secs(20), "served by nobody for {waited:?}");
        }
        cluster.resume(&gateway);
        assert_eq!(ledger.count().await.expect("served through another one"), 2);
        assert_ne!(connection.gateway().expect("it has one").name.to_string(), gateway);
    });
}

#[test]
fn a_client_cannot_say_that_a_reminder_is_due() {
    use quark::actor::{Access, Method};
    use quark::generated::{Bytes, CodecError, MethodId};
    static FIRE: Method = Method {
        id: MethodId(0),
        name: "a reminder",
        access: Access::Exclusive,
        arguments: &[],
        arguments_from_json: |_| Ok(Bytes::new()),
        result_to_json: |_| Ok(serde_json::Value::Null),
        error_to_json: |_| Ok(serde_json::Value::Null),
    };
    in_world(&["a", "b"], kinds, |cluster| async move {
        let connection = cluster.connect("outside", quark::ClientConfig::default());
        let ledger = connection.client().handle(ActorId::new("ledger", "l").expect("valid"));
        let args: Result<Bytes, CodecError> =
            quark::generated::encode_arguments(&("monthly".to_owned(), i64::MAX, i64::MAX));
        let failure = ledger.call::<(), ()>(&FIRE, args).await.expect_err("it is no method of a client's");
        assert!(matches!(failure.failure(), Some(Failure::UnknownMethod { .. })), "{failure}");
    });
}

#[test]
fn a_whole_cluster_that_crashed_forms_again() {
    in_world(&["a", "b", "c"], kinds, |cluster| async move {
        first(&cluster).client().actor::<Ledger>("l").append("one".into()).await.expect("commits");
        for name in ["a", "b", "c"] {
            cluster.crash(name);
        }
        cluster.sleep(Duration::from_secs(1)).await;
        let start = cluster.now();
        cluster.start_all(&["a", "b", "c"]).await;
        let ledger = first(&cluster).client().actor::<Ledger>("l");
        assert_eq!(ledger.count().await.expect("serves"), 1);
        assert!(cluster.now().since(start) < Duration::from_secs(10), "{:?}", cluster.now().since(start));
    });
}

#[test]
fn an_orderly_stop_hands_everything_over_and_fails_no_call() {
    in_world(&["a", "b", "c"], kinds, |cluster| async move {
        let client = cluster.silo("a").expect("runs").client();
        let key = key_on(&cluster, "b", "ledger");
        let ledger = client.actor::<Ledger>(&key);
        ledger.append("one".into()).await.expect("commits");
        let stopping = cluster.stop("b");
        let calls = async {
            for _ in 0..100 {
                ledger.append("more".into()).await.expect("no call fails");
                cluster.sleep(Duration::from_millis(10)).await;
            }
        };
        futures_util::future::join(stopping, calls).await;
        assert!(!cluster.is_up("b"));
        assert_eq!(ledger.count().await.expect("serves"), 101);
    });
}
