//! What volatile timers promise to an actor, one fact at a time, in a calm world.

use quark::{ActorContext, Deserialize, Failure, Serialize, Silo, SiloBuilder, SiloConfig, TimerError};
use quark_core::Instant;
use quark_scenarios::bank::Account;
use quark_sim::{Config, World};
use quark_testkit::sim::SimCluster;
use quark_testkit::stage::Stage;
use std::sync::Arc;
use std::time::Duration;

/// When a tick began and ended, in milliseconds since the timer was set.
type Beat = (u64, u64);

/// Notes its ticks.
#[derive(Default)]
struct Metronome {
    set_at: Instant,
    beats: Vec<Beat>,
    work_ms: u64,
    then: Option<String>,
    set_early: bool,
}

impl Metronome {
    fn since(&self, ctx: &ActorContext) -> u64 {
        ctx.now().since(self.set_at).as_millis() as u64
    }
}

#[quark::actor(kind = "metronome")]
impl Metronome {
    #[quark(on_activate)]
    async fn wake(&mut self, ctx: &ActorContext) -> Result<(), String> {
        if ctx.id().key().starts_with("early") {
            self.set_at = ctx.now();
            ctx.timers().after("early", MS, ctx.myself::<Self>().beat()).map_err(|e| e.to_string())?;
            ctx.sleep(Duration::from_millis(50)).await;
            self.set_early = true;
        }
        Ok(())
    }

    fn every(&mut self, ctx: &ActorContext, ms: u64, work_ms: u64) -> Result<(), String> {
        (self.set_at, self.work_ms) = (ctx.now(), work_ms);
        let beat = ctx.myself::<Self>().beat();
        ctx.timers().every("beat", Duration::from_millis(ms), beat).map_err(|e| e.to_string())
    }

    fn after(&mut self, ctx: &ActorContext, ms: u64) -> Result<(), String> {
        self.set_at = ctx.now();
        ctx.timers()
            .after("beat", Duration::from_millis(ms), ctx.myself::<Self>().beat())
            .map_err(|e| e.to_string())
    }

    /// What the next tick does beside: `panic`, `cancel` or `again`.
    fn then(&mut self, what: String) {
        self.then = Some(what);
    }

    async fn beat(&mut self, ctx: &ActorContext) {
        let began = self.since(ctx);
        if self.work_ms > 0 {
            ctx.sleep(Duration::from_millis(self.work_ms)).await;
        }
        self.beats.push((began, self.since(ctx)));
        match self.then.take().as_deref() {
            Some("panic") => panic!("told to"),
            Some("cancel") => assert!(ctx.timers().cancel("beat"), "its own timer is set while it ticks"),
            Some("again") => {
                let again = ctx.timers().after("beat", Duration::from_secs(1), ctx.myself::<Self>().beat());
                again.expect("its name is free again");
            }
            _ => {}
        }
    }

    /// Holds the actor for a while, then cancels the timer.
    async fn hold_and_cancel(&mut self, ctx: &ActorContext, ms: u64) -> bool {
        ctx.sleep(Duration::from_millis(ms)).await;
        ctx.timers().cancel("beat")
    }

    /// Holds the actor for a while, then sets the timer anew.
    async fn hold_and_set(&mut self, ctx: &ActorContext, ms: u64) {
        ctx.sleep(Duration::from_millis(ms)).await;
        self.set_at = ctx.now();
        let set = ctx.timers().after("beat", Duration::from_secs(1), ctx.myself::<Self>().beat());
        set.expect("nothing is wrong with it");
    }

    async fn hold(&mut self, ctx: &ActorContext, ms: u64) {
        ctx.sleep(Duration::from_millis(ms)).await;
    }

    fn cancel(&mut self, ctx: &ActorContext) -> bool {
        ctx.timers().cancel("beat")
    }

    fn beats(&self) -> Vec<Beat> {
        self.beats.clone()
    }

    /// Ticks started and missed of each timer.
    fn counts(&self, ctx: &ActorContext) -> Vec<(u64, u64)> {
        ctx.timers().list().iter().map(|timer| (timer.ticks, timer.missed)).collect()
    }

    fn woke_before_its_tick(&self) -> bool {
        self.set_early && self.beats.iter().all(|(began, _)| *began >= 50)
    }

    /// Tries everything that is refused.
    fn refused(&mut self, ctx: &ActorContext) -> bool {
        let beat = || ctx.myself::<Self>().beat();
        let timers = ctx.timers();
        let other = ctx.actor::<Metronome>("another").beat();
        let zero = timers.every("zero", Duration::ZERO, beat());
        let nameless = timers.after("", MS, beat());
        let not_ours = timers.after("other", MS, other);
        for number in 0..quark::Timers::COUNT_MAX {
            timers.after(&number.to_string(), Duration::from_secs(3600), beat()).expect("there is room");
        }
        let too_many = timers.after("one more", MS, beat());
        let in_place = timers.after("7", MS, beat());
        matches!(zero, Err(TimerError::ZeroPeriod { .. }))
            && matches!(nameless, Err(TimerError::Name { .. }))
            && matches!(not_ours, Err(TimerError::NotOurs { .. }))
            && matches!(too_many, Err(TimerError::TooMany { .. }))
            && in_place.is_ok()
    }
}

/// Counts by its timer, durably, and by a timer that only looks.
#[derive(Default, Serialize, Deserialize)]
struct Meter {
    count: u64,
}

#[quark::actor(kind = "meter", durable)]
impl Meter {
    fn start(&mut self, ctx: &ActorContext) -> Result<(), String> {
        let (count, look) = (ctx.myself::<Self>().count(), ctx.myself::<Self>().look());
        let timers = ctx.timers();
        timers.every("count", Duration::from_secs(1), count).map_err(|e| e.to_string())?;
        timers.every("look", Duration::from_secs(1), look).map_err(|e| e.to_string())
    }

    fn count(&mut self) {
        self.count += 1;
    }

    fn look(&self, ctx: &ActorContext) {
        assert!(ctx.header("tag").is_none(), "a tick has no request context");
        let left = ctx.remaining().expect("a tick has a deadline");
        assert!(left > Duration::from_secs(29), "the default, from when it was due: {left:?}");
    }

    fn counted(&self, ctx: &ActorContext) -> (u64, Vec<u64>) {
        (self.count, ctx.timers().list().iter().map(|timer| timer.ticks).collect())
    }
}

fn kinds(builder: SiloBuilder) -> SiloBuilder {
    builder.actor::<Metronome>().actor::<Meter>().actor::<Account>()
}

fn on_one_silo<F: Future<Output = ()>>(
    describe: fn(SiloBuilder) -> SiloBuilder,
    story: impl FnOnce(SimCluster, Silo, MetronomeRef) -> F,
) {
    let mut world = World::new(Config::calm(7));
    let cluster = SimCluster::new(world.handle(), "timers", Arc::new(describe), None);
    world.block_on(async {
        cluster.start_all(&["a"]).await;
        let silo = cluster.silo("a").expect("it runs");
        let metronome = silo.client().actor::<Metronome>("m");
        story(cluster, silo, metronome).await;
    });
}

#[test]
fn a_period_keeps_its_grid_for_an_hour() {
    fn patient(builder: SiloBuilder) -> SiloBuilder {
        let idle_after = Duration::from_secs(2 * 3600);
        kinds(builder).config(SiloConfig { idle_after, ..SiloConfig::default() })
    }
    on_one_silo(patient, |cluster, _, metronome| async move {
        metronome.every(1000, 3).await.expect("sets");
        cluster.sleep(Duration::from_secs(3600) + HALF).await;
        let beats = metronome.beats().await.expect("serves");
        assert_eq!(beats.len(), 3600);
        for (number, (began, _)) in (1..).zip(beats) {
            assert!((number * 1000..number * 1000 + 3).contains(&began), "tick {number} began at {began} ms");
        }
    });
}

#[test]
fn a_tick_that_takes_longer_than_its_period_never_overlaps_and_the_grid_stays() {
    on_one_silo(kinds, |cluster, _, metronome| async move {
        metronome.every(1000, 2300).await.expect("sets");
        cluster.sleep(Duration::from_secs(60) + HALF).await;
        let counts = metronome.counts().await.expect("serves");
        let beats = metronome.beats().await.expect("serves");
        // From 1 to 3.3 s, then from 4 to 6.3 s: two of three are missed.
        assert_eq!(beats.len(), 20, "{beats:?}");
        for (number, (began, ended)) in (0..).zip(&beats) {
            assert!((1000 + number * 3000..1005 + number * 3000).contains(began), "{beats:?}");
            assert!(*ended >= began + 2300);
        }
        assert!(beats.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{beats:?}");
        assert_eq!(counts, [(20, 40)]);
    });
}

#[test]
fn a_shared_look_runs_beside_other_ticks_and_a_durable_tick_commits() {
    on_one_silo(kinds, |cluster, silo, _| async move {
        let meter = silo.client().actor::<Meter>("m");
        meter.start().header("tag", "blue").await.expect("sets");
        cluster.sleep(Duration::from_secs(10) + HALF).await;
        assert_eq!(meter.counted().await.expect("serves"), (10, vec![10, 10]));
        assert_eq!(silo.status().commits, 11, "of the turn that set it, and of each count");
        assert_eq!(silo.status().dead_letters, 0);
        assert_eq!(silo.status().timers, 2);
    });
}

#[test]
fn a_cancelled_timer_does_not_start_a_tick_that_is_queued_already() {
    on_one_silo(kinds, |cluster, silo, metronome| async move {
        metronome.every(100, 0).await.expect("sets");
        // The tick of 100 ms waits behind this turn, which cancels its timer.
        assert!(metronome.hold_and_cancel(150).await.expect("serves"));
        assert_eq!(metronome.beats().await.expect("serves"), []);
        cluster.sleep(Duration::from_secs(1)).await;
        assert_eq!(metronome.beats().await.expect("serves"), []);
        assert!(!metronome.cancel().await.expect("serves"), "it is gone");
        assert_eq!(silo.status().timers, 0);
    });
}

#[test]
fn a_timer_that_is_set_anew_drops_the_tick_that_is_queued() {
    on_one_silo(kinds, |cluster, _, metronome| async move {
        metronome.every(100, 0).await.expect("sets");
        metronome.hold_and_set(150).await.expect("serves");
        cluster.sleep(Duration::from_secs(5)).await;
        let beats = metronome.beats().await.expect("serves");
        assert!(matches!(beats[..], [(1000..1003, _)]), "once, a second after it was set anew: {beats:?}");
    });
}

#[test]
fn a_tick_may_cancel_its_own_timer_or_set_its_name_again() {
    on_one_silo(kinds, |cluster, silo, metronome| async move {
        metronome.then("cancel".into()).await.expect("serves");
        metronome.every(100, 0).await.expect("sets");
        cluster.sleep(Duration::from_secs(1)).await;
        assert_eq!(metronome.beats().await.expect("serves").len(), 1);
        metronome.then("again".into()).await.expect("serves");
        metronome.after(100).await.expect("sets");
        cluster.sleep(Duration::from_secs(5)).await;
        let beats = metronome.beats().await.expect("serves");
        assert!(matches!(beats[1..], [(100..103, _), (1100..1106, _)]), "{beats:?}");
        assert_eq!(silo.status().timers, 0);
    });
}

#[test]
fn a_timer_without_a_period_ticks_once() {
    on_one_silo(kinds, |cluster, silo, metronome| async move {
        metronome.after(250).await.expect("sets");
        assert_eq!(silo.status().timers, 1);
        cluster.sleep(Duration::from_secs(60)).await;
        let beats = metronome.beats().await.expect("serves");
        assert!(matches!(beats[..], [(250..253, _)]), "{beats:?}");
        assert_eq!(metronome.counts().await.expect("serves"), []);
        assert_eq!(silo.status().timers, 0);
    });
}

#[test]
fn a_timer_that_the_hook_sets_ticks_after_the_hook() {
    on_one_silo(kinds, |cluster, silo, _| async move {
        let early = silo.client().actor::<Metronome>("early");
        assert!(early.woke_before_its_tick().await.expect("serves"));
        cluster.sleep(HALF).await;
        assert!(early.woke_before_its_tick().await.expect("serves"));
        assert_eq!(early.beats().await.expect("serves").len(), 1);
    });
}

#[test]
fn ticks_keep_no_activation_alive_and_its_timers_end_with_it() {
    fn brief(builder: SiloBuilder) -> SiloBuilder {
        kinds(builder).config(SiloConfig { idle_after: Duration::from_secs(10), ..SiloConfig::default() })
    }
    on_one_silo(brief, |cluster, silo, metronome| async move {
        metronome.every(100, 0).await.expect("sets");
        cluster.sleep(Duration::from_secs(9)).await;
        assert_eq!((silo.status().activations, silo.status().timers), (1, 1));
        cluster.sleep(Duration::from_secs(6)).await;
        assert_eq!((silo.status().activations, silo.status().timers), (0, 0));
        let turns = silo.status().turns;
        assert!((100..140).contains(&turns), "it ticked until it was collected: {turns} turns");
        cluster.sleep(Duration::from_secs(60)).await;
        assert_eq!(silo.status().turns, turns, "and no tick brought it back");
        assert_eq!(metronome.beats().await.expect("serves"), [], "another activation");
    });
}

#[test]
fn a_panic_in_a_tick_ends_the_activation_and_its_timers() {
    on_one_silo(kinds, |cluster, silo, metronome| async move {
        metronome.then("panic".into()).await.expect("serves");
        metronome.every(100, 0).await.expect("sets");
        cluster.sleep(Duration::from_millis(150)).await;
        let status = silo.status();
        assert_eq!((status.activations, status.timers, status.dead_letters), (0, 0, 1));
        cluster.sleep(Duration::from_secs(5)).await;
        assert_eq!(metronome.beats().await.expect("a fresh activation serves"), []);
    });
}

#[test]
fn panics_of_ticks_end_in_quarantine() {
    on_one_silo(kinds, |cluster, _, metronome| async move {
        for _ in 0..4 {
            metronome.then("panic".into()).await.expect("serves");
            metronome.after(1).await.expect("sets");
            cluster.sleep(Duration::from_millis(20)).await;
        }
        let error = metronome.beats().await.expect_err("quarantined");
        assert!(matches!(error.failure(), Some(Failure::Quarantined { .. })), "{error}");
    });
}

#[test]
fn a_full_mailbox_puts_a_tick_off_and_loses_no_timer() {
    fn small(builder: SiloBuilder) -> SiloBuilder {
        kinds(builder).config(SiloConfig { mailbox_messages_max: 2, ..SiloConfig::default() })
    }
    on_one_silo(small, |cluster, _, metronome| async move {
        metronome.every(100, 0).await.expect("sets");
        for _ in 0..3 {
            // One runs, two fill the mailbox, for half a second.
            metronome.hold(170).tell().expect("there is room");
        }
        cluster.sleep(Duration::from_secs(1) + Duration::from_millis(50)).await;
        let beats = metronome.beats().await.expect("serves");
        let (ticks, missed) = metronome.counts().await.expect("serves")[0];
        assert_eq!(ticks, beats.len() as u64);
        assert_eq!(ticks + missed, 10, "{beats:?}, {missed} missed");
        assert!(missed >= 1, "the mailbox was never full: the test has shown nothing");
        let on_grid = |ms: u64| ms % 100 <= 3;
        assert!(beats[beats.len() - 4..].iter().all(|(began, _)| on_grid(*began)), "{beats:?}");
    });
}

#[test]
fn a_full_mailbox_puts_a_single_tick_off_until_there_is_room() {
    fn small(builder: SiloBuilder) -> SiloBuilder {
        kinds(builder).config(SiloConfig { mailbox_messages_max: 2, ..SiloConfig::default() })
    }
    on_one_silo(small, |cluster, silo, metronome| async move {
        metronome.after(100).await.expect("sets");
        for _ in 0..3 {
            metronome.hold(1000).tell().expect("there is room");
        }
        cluster.sleep(Duration::from_secs(10)).await;
        let beats = metronome.beats().await.expect("serves");
        // The mailbox has room from 1 s on; the tick that enters it then runs behind the third turn.
        assert!(matches!(beats[..], [(3000..3010, _)]), "{beats:?}");
        assert_eq!(silo.status().timers, 0);
    });
}

#[test]
fn a_silo_that_stops_in_order_ends_its_timers() {
    on_one_silo(kinds, |cluster, silo, metronome| async move {
        metronome.every(10, 0).await.expect("sets");
        cluster.stop("a").await;
        assert_eq!(silo.stopped().as_deref(), Some("left the cluster in order"));
        assert_eq!((silo.status().activations, silo.status().timers), (0, 0));
    });
}

#[test]
fn what_is_wrong_with_a_timer_is_said_and_nothing_is_set() {
    on_one_silo(kinds, |_, silo, metronome| async move {
        assert!(metronome.refused().await.expect("serves"));
        assert_eq!(silo.status().timers, quark::Timers::COUNT_MAX);
    });
}

const MS: Duration = Duration::from_millis(1);
const HALF: Duration = Duration::from_millis(500);
