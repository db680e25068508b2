//! What `ctx.save(self)` promises to a kind with `save = manual`, and what such a kind gives up.

use quark::{
    ActorContext, Deserialize, Failure, Reminder, SaveError, Schedule, Serialize, Silo, SiloBuilder,
    SiloConfig,
};
use quark_core::WallTime;
use quark_sim::{Config, World};
use quark_testkit::sim::SimCluster;
use quark_testkit::stage::Stage;
use std::future::Future;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

/// Says itself when its state is to be kept.
#[derive(Default, Serialize, Deserialize)]
struct Draft {
    text: String,
    #[serde(skip)]
    kept: Option<Kept>,
    #[serde(skip)]
    left: Option<Left>,
}

/// A save that nobody polls any more.
struct Left(#[expect(dead_code, reason = "it is kept and never polled")] std::sync::Mutex<SaveUnderWay>);

type SaveUnderWay = std::pin::Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// A context that outlives its turn.
struct Kept(ActorContext);

fn told(saved: Result<(), SaveError>) -> Result<(), String> {
    saved.map_err(|error| error.to_string())
}

#[quark::actor(kind = "draft", save = manual)]
impl Draft {
    fn write(&mut self, text: String) {
        self.text = text;
    }

    async fn save(&mut self, ctx: &ActorContext) -> Result<(), String> {
        told(ctx.save(self).await)
    }

    async fn look(&self, ctx: &ActorContext) -> Result<(), String> {
        told(ctx.save(self).await)
    }

    async fn save_and_panic(&mut self, ctx: &ActorContext, saved: String, lost: String) {
        self.text = saved;
        ctx.save(self).await.expect("the store is well");
        self.text = lost;
        panic!("told to");
    }

    /// Begins to save this, gives up before the store can answer, and saves something else.
    async fn save_twice(&mut self, ctx: &ActorContext, first: String, second: String) -> Result<(), String> {
        self.text = first;
        let mut saving = Box::pin(ctx.save(self));
        std::future::poll_fn(|cx| {
            assert!(saving.as_mut().poll(cx).is_pending(), "the store takes its time");
            Poll::Ready(())
        })
        .await;
        drop(saving);
        self.text = second;
        told(ctx.save(self).await)
    }

    /// Leaves a save half done where it outlives the turn.
    async fn leave_a_save(&mut self, ctx: &ActorContext, text: String) {
        let (ctx, copy) = (ctx.clone(), Draft { text, left: None, kept: None });
        let mut saving = Box::pin(async move { told(ctx.save(&copy).await) });
        std::future::poll_fn(|cx| {
            assert!(saving.as_mut().poll(cx).is_pending(), "the store takes its time");
            Poll::Ready(())
        })
        .await;
        self.left = Some(Left(std::sync::Mutex::new(saving)));
    }

    async fn save_two_at_once(&mut self, ctx: &ActorContext) -> Result<(), String> {
        let (first, second) = futures_util::future::join(ctx.save(self), ctx.save(self)).await;
        told(first).expect("the store is well");
        told(second)
    }

    fn remind(&mut self, ctx: &ActorContext) -> Result<(), String> {
        let far = Schedule::once(WallTime(i64::MAX / 2)).map_err(|e| e.to_string())?;
        let write = ctx.myself::<Self>().write("late".into());
        ctx.reminders().and_then(|all| all.set(Reminder::new("far", far), write)).map_err(|e| e.to_string())
    }

    fn keep_context(&mut self, ctx: &ActorContext) {
        self.kept = Some(Kept(ctx.clone()));
    }

    async fn save_by_kept_context(&mut self) -> Result<(), String> {
        let kept = self.kept.take().expect("it was kept");
        told(kept.0.save(self).await)
    }

    async fn save_much(&mut self, ctx: &ActorContext, bytes: usize) -> bool {
        self.text = "x".repeat(bytes);
        let error = ctx.save(self).await.expect_err("it is too large");
        let named = matches!(
            &error,
            SaveError::Failed(Failure::TooLarge { what, size, limit })
                if what == "the state of draft/d" && *size == bytes + 5 && *limit == 1 << 20
        );
        assert!(named, "{error}");
        named
    }

    fn text(&self) -> String {
        self.text.clone()
    }
}

/// Saves as its last deed.
#[derive(Default, Serialize, Deserialize)]
struct Tidy {
    text: String,
}

#[quark::actor(kind = "tidy", save = manual)]
impl Tidy {
    fn write(&mut self, text: String) {
        self.text = text;
    }

    fn text(&self) -> String {
        self.text.clone()
    }

    #[quark(on_deactivate)]
    async fn end(&mut self, ctx: &ActorContext) {
        ctx.save(self).await.expect("the store is well");
    }
}

/// Commits each turn, and tries to save besides.
#[derive(Default, Serialize, Deserialize)]
struct Strict;

#[quark::actor(kind = "strict", durable)]
impl Strict {
    async fn save(&mut self, ctx: &ActorContext) -> Result<(), String> {
        told(ctx.save(self).await)
    }
}

fn kinds(builder: SiloBuilder) -> SiloBuilder {
    let idle_after = Duration::from_secs(10);
    let config = SiloConfig { idle_after, ..SiloConfig::default() };
    builder.actor::<Draft>().actor::<Tidy>().actor::<Strict>().config(config)
}

fn on_one_silo<F: Future<Output = ()>>(story: impl FnOnce(SimCluster, Silo, DraftRef) -> F) {
    let mut world = World::new(Config::calm(7));
    let cluster = SimCluster::new(world.handle(), "drafts", Arc::new(kinds), None);
    world.block_on(async {
        cluster.start_all(&["a"]).await;
        let silo = cluster.silo("a").expect("it runs");
        let draft = silo.client().actor::<Draft>("d");
        story(cluster, silo, draft).await;
    });
}

/// The same draft after a crash.
async fn after_a_crash(cluster: &SimCluster) -> DraftRef {
    cluster.crash("a");
    cluster.start("a").await.expect("starts again");
    cluster.silo("a").expect("it runs").client().actor::<Draft>("d")
}

#[test]
fn only_a_save_commits() {
    on_one_silo(|cluster, silo, draft| async move {
        draft.write("one".into()).await.expect("serves");
        assert_eq!(silo.status().commits, 0);
        assert_eq!(draft.save().await, Ok(()));
        assert_eq!(draft.save().await, Ok(()));
        assert_eq!(silo.status().commits, 1, "the same again is no commit");
        draft.write("two".into()).await.expect("serves");
        let draft = after_a_crash(&cluster).await;
        assert_eq!(draft.text().await, Ok("one".into()), "what was not saved is gone");
    });
}

#[test]
fn what_was_saved_stays_whatever_becomes_of_the_turn() {
    on_one_silo(|_, _, draft| async move {
        draft.save_and_panic("saved".into(), "lost".into()).await.expect_err("panics");
        assert_eq!(draft.text().await, Ok("saved".into()));
    });
}

#[test]
fn a_save_that_nobody_waited_for_is_settled_by_the_next() {
    on_one_silo(|cluster, _, draft| async move {
        assert_eq!(draft.save_twice("one".into(), "two".into()).await, Ok(()));
        assert_eq!(draft.save_twice("three".into(), "four".into()).await, Ok(()));
        let draft = after_a_crash(&cluster).await;
        assert_eq!(draft.text().await, Ok("four".into()));
    });
}

#[test]
fn a_save_that_outlives_its_turn_costs_the_activation_and_blocks_nobody() {
    on_one_silo(|_, silo, draft| async move {
        draft.write("one".into()).await.expect("serves");
        assert_eq!(draft.save().await, Ok(()));
        let failure = draft.leave_a_save("two".into()).await.expect_err("who knows").failure().cloned();
        assert!(matches!(failure, Some(Failure::Indeterminate { .. })), "{failure:?}");
        assert_eq!(silo.status().activations, 0);
        let text = draft.text().await.expect("a fresh activation serves");
        assert!(text == "one" || text == "two", "{text}");
        assert_eq!(draft.save().await, Ok(()), "and saves");
    });
}

#[test]
fn a_turn_saves_one_thing_at_a_time() {
    on_one_silo(|_, _, draft| async move {
        draft.write("one".into()).await.expect("serves");
        let refused = draft.save_two_at_once().await.expect_err("one after the other").to_string();
        assert!(refused.contains("under way"), "{refused}");
        assert_eq!(draft.save().await, Ok(()));
    });
}

#[test]
fn an_unknown_outcome_is_said_and_found_out_by_the_next_save() {
    on_one_silo(|cluster, silo, draft| async move {
        for (number, applied_ppm) in [(1, 0), (2, 1_000_000)] {
            draft.write(format!("doubtful {number}")).await.expect("serves");
            cluster.world().set_store_indeterminate(1_000_000, applied_ppm);
            let error = draft.save().deadline(Duration::from_millis(900)).await.expect_err("nobody knows");
            assert!(error.to_string().contains("unknown"), "{error}");
            cluster.world().set_store_indeterminate(0, 0);
            draft.write(format!("sure {number}")).await.expect("serves");
            assert_eq!(draft.save().await, Ok(()));
        }
        assert_eq!(silo.status().activations, 1, "the same activation all the time");
        assert_eq!(silo.status().commits, 4, "a commit that is found out later counts as well");
        let draft = after_a_crash(&cluster).await;
        assert_eq!(draft.text().await, Ok("sure 2".into()));
    });
}

#[test]
fn a_turn_with_a_key_or_a_reminder_commits_at_its_end() {
    on_one_silo(|cluster, silo, draft| async move {
        draft.write("one".into()).idempotency_key(9).await.expect("serves");
        assert_eq!(silo.status().commits, 1);
        let refused = draft.save().idempotency_key(10).await.expect_err("not before its end").to_string();
        assert!(refused.contains("commits at its end"), "{refused}");
        draft.write("two".into()).await.expect("serves");
        draft.remind().await.expect("sets");
        let draft = after_a_crash(&cluster).await;
        assert_eq!(draft.text().await, Ok("two".into()), "all of the state, with the reminder");
        draft.write("again".into()).idempotency_key(9).await.expect_err("another call under the same key");
    });
}

#[test]
fn a_save_is_for_an_exclusive_turn_of_such_a_kind_while_it_lasts() {
    on_one_silo(|_, silo, draft| async move {
        let refused = draft.look().await.expect_err("it takes `&self`").to_string();
        assert!(refused.contains("`&self`"), "{refused}");
        let strict = silo.client().actor::<Strict>("s");
        let refused = strict.save().await.expect_err("it commits by itself").to_string();
        assert!(refused.contains("not `save = manual`"), "{refused}");
        draft.keep_context().await.expect("serves");
        let refused = draft.save_by_kept_context().await.expect_err("that turn is over").to_string();
        assert!(refused.contains("has ended"), "{refused}");
    });
}

#[test]
fn a_state_that_is_too_large_is_named_with_its_size_and_kept() {
    on_one_silo(|_, _, draft| async move {
        assert_eq!(draft.save_much(2 << 20).await, Ok(true));
        assert_eq!(draft.text().await.map(|text| text.len()), Ok(2 << 20));
    });
}

#[test]
fn an_end_in_order_saves_what_its_hook_saves() {
    on_one_silo(|cluster, silo, draft| async move {
        let tidy = silo.client().actor::<Tidy>("t");
        tidy.write("kept".into()).await.expect("serves");
        draft.write("not kept".into()).await.expect("serves");
        cluster.sleep(Duration::from_secs(20)).await;
        assert_eq!(silo.status().activations, 0, "collected");
        assert_eq!(tidy.text().await, Ok("kept".into()));
        assert_eq!(draft.text().await, Ok(String::new()));
    });
}

#[test]
fn a_stale_copy_is_told_that_it_is_fenced_and_ends() {
    let mut world = World::new(Config::calm(7));
    let cluster = SimCluster::new(world.handle(), "drafts", Arc::new(kinds), None);
    world.block_on(async {
        cluster.start_all(&["a"]).await;
        let silo = cluster.silo("a").expect("it runs");
        let draft = silo.client().actor::<Draft>("d");
        draft.write("stale".into()).await.expect("serves");
        // What another silo's claim does to the owner row, and a save of its own.
        let world = cluster.world();
        let partition = world.partitions().into_iter().find(|p| p.0.ends_with("/d")).expect("it was claimed");
        let batch = quark::env::store::Batch::new(partition, quark_core::WriteId(7))
            .put("owner", vec![9, 1, b'b', 1]);
        quark::env::Store::commit(&world.host(cluster.node("a")), batch).await.expect("commits");
        let refused = draft.save().await.expect_err("fenced").to_string();
        assert!(refused.contains("fenced"), "{refused}");
        assert_eq!(draft.text().await, Ok(String::new()), "a fresh activation");
    });
}
