//! What no story turns on, one law at a time, in a calm world: each law holds, and with the feature `mutants` it is also
//! seen to break with its planted bug switched on. docs/hollow.md says which defect each of them keeps out.

use quark::{ActorContext, Deserialize, Failure, Serialize, SiloBuilder, SiloConfig};
use quark_core::ActorId;
use quark_core::ring::Ring;
use quark_sim::{Config, World};
use quark_testkit::sim::SimCluster;
use quark_testkit::stage::Stage;
use std::future::IntoFuture;
use std::sync::Arc;
use std::time::Duration;

/// A bug is switched on for the whole process: these tests take turns.
static ONE_AT_A_TIME: parking_lot::Mutex<()> = parking_lot::Mutex::new(());

/// The law holds; and it is this bug, and nothing else, that breaks it.
fn check(id: &str, law: fn() -> bool) {
    let _turn = ONE_AT_A_TIME.lock();
    assert!(law(), "the law does not hold, with no bug planted: see {id}");
    #[cfg(feature = "mutants")]
    {
        quark_core::mutant::activate(id);
        let held = law();
        quark_core::mutant::activate("");
        assert!(!held, "nobody noticed {id}");
    }
}

/// Runs a story on silos of one program, and says what it says.
fn in_world<F: Future<Output = bool>>(
    names: &'static [&'static str],
    describe: fn(SiloBuilder) -> SiloBuilder,
    story: impl FnOnce(SimCluster) -> F,
) -> bool {
    let mut world = World::new(Config::calm(7));
    let cluster = SimCluster::new(world.handle(), "laws", Arc::new(describe), None);
    world.block_on(async {
        cluster.start_all(names).await;
        while !cluster.has_converged() {
            cluster.sleep(Duration::from_millis(50)).await;
        }
        story(cluster).await
    })
}

/// A key of this kind whose range this silo owns.
fn key_on(cluster: &SimCluster, silo: &str, kind: &str) -> String {
    let silo = cluster.silo(silo).expect("it runs");
    let ring = Ring::shared_of_view(&silo.view());
    (0..10_000)
        .map(|n| format!("key-{n}"))
        .find(|key| ring.owner(ActorId::new(kind, key).expect("valid").point()) == Some(silo.id()))
        .expect("every silo owns some of ten thousand keys")
}

/// Counts, and owes the store what it has counted.
#[derive(Default, Serialize, Deserialize)]
struct Hits {
    count: u64,
}

#[quark::actor(kind = "hits", write_behind = "5s")]
impl Hits {
    fn hit(&mut self) -> u64 {
        self.count += 1;
        self.count
    }
}

/// Keeps lines.
#[derive(Default, Serialize, Deserialize)]
struct Diary {
    lines: u64,
}

#[quark::actor(kind = "diary", durable)]
impl Diary {
    async fn write(&mut self, ctx: &ActorContext, slowly_ms: u64) -> u64 {
        if slowly_ms > 0 {
            ctx.sleep(Duration::from_millis(slowly_ms)).await;
        }
        self.lines += 1;
        self.lines
    }

    fn note(&mut self) {
        self.lines += 1;
    }

    fn lines(&self) -> u64 {
        self.lines
    }
}

/// Of another kind, and as easily confused.
#[derive(Default, Serialize, Deserialize)]
struct Atlas {
    pages: u64,
}

#[quark::actor(kind = "atlas", durable)]
impl Atlas {
    fn draw(&mut self) -> u64 {
        self.pages += 1;
        self.pages
    }
}

fn kinds(builder: SiloBuilder) -> SiloBuilder {
    builder.actor::<Hits>().actor::<Diary>().actor::<Atlas>()
}

#[test]
fn m05_an_actor_does_not_move_before_what_it_owes_is_stored() {
    check("m05", || {
        in_world(&["a", "b"], kinds, |cluster| async move {
            let client = cluster.client("outside").await;
            let hits = |number: u32| client.actor::<Hits>(&number.to_string()).hit().into_future();
            for number in 0..20 {
                assert_eq!(hits(number).await, Ok(1));
            }
            cluster.stop("a").await;
            let mut kept = true;
            for number in 0..20 {
                kept &= hits(number).await == Ok(2);
            }
            kept
        })
    });
}

#[test]
fn m12_a_caller_that_goes_away_gives_its_place_back() {
    check("m12", || {
        in_world(&["a", "b"], kinds, |cluster| async move {
            let diary = cluster.silo("a").expect("runs").client();
            let diary = diary.actor::<Diary>(&key_on(&cluster, "b", "diary"));
            for _ in 0..10 {
                let mut asked = diary.write(500).into_future();
                // Asked, and no longer wanted.
                let once = std::future::poll_fn(|cx| {
                    let _ = asked.as_mut().poll(cx);
                    std::task::Poll::Ready(())
                });
                once.await;
                drop(asked);
            }
            cluster.silo("a").expect("runs").status().pending == 0
        })
    });
}

#[test]
fn m51_a_silo_that_drains_for_long_keeps_its_lease_and_ends_its_turns() {
    check("m51", || {
        in_world(&["a", "b", "c"], kinds, |cluster| async move {
            let diary = cluster.silo("a").expect("runs").client();
            let diary = diary.actor::<Diary>(&key_on(&cluster, "b", "diary"));
            // Longer than a lease, and than others bear a silo without one.
            let long = Duration::from_secs(20);
            let began = cluster.now();
            let stop = async {
                cluster.sleep(Duration::from_millis(100)).await;
                cluster.stop("b").await;
            };
            let write = diary.write(long.as_millis() as u64).into_future();
            let (written, ()) = futures_util::future::join(write, stop).await;
            let took = cluster.now().since(began);
            written == Ok(1) && took < long + Duration::from_secs(5) && diary.lines().await == Ok(1)
        })
    });
}

#[test]
fn m58_a_reply_without_a_value_is_a_reply() {
    check("m58", || {
        in_world(&["a", "b"], kinds, |cluster| async move {
            let diary = cluster.silo("a").expect("runs").client();
            let diary = diary.actor::<Diary>(&key_on(&cluster, "b", "diary"));
            diary.note().deadline(Duration::from_secs(5)).await.is_ok()
        })
    });
}

#[test]
fn m59_actors_of_two_kinds_share_a_key_and_nothing_else() {
    check("m59", || {
        in_world(&["a"], kinds, |cluster| async move {
            let client = cluster.client("outside").await;
            let (diary, atlas) = (client.actor::<Diary>("1"), client.actor::<Atlas>("1"));
            let mut own = true;
            for turn in 1..=3 {
                let deadline = Duration::from_secs(5);
                own &= diary.write(0).deadline(deadline).await == Ok(turn);
                own &= atlas.draw().deadline(deadline).await == Ok(turn);
            }
            own
        })
    });
}

#[test]
fn m60_what_is_told_is_handled_or_counted_as_a_dead_letter() {
    fn small(builder: SiloBuilder) -> SiloBuilder {
        kinds(builder).config(SiloConfig { mailbox_messages_max: 5, ..SiloConfig::default() })
    }
    check("m60", || {
        in_world(&["a"], small, |cluster| async move {
            let silo = cluster.silo("a").expect("runs");
            let diary = silo.client().actor::<Diary>("d");
            let told = 20;
            let busy = diary.write(100).into_future();
            let tell = async {
                cluster.sleep(Duration::from_millis(20)).await;
                for _ in 0..told {
                    diary.note().tell().expect("the silo runs");
                }
            };
            let (busy, ()) = futures_util::future::join(busy, tell).await;
            assert_eq!(busy, Ok(1));
            let handled = diary.lines().await.expect("serves") - 1;
            assert!(handled < told, "the mailbox was too large for this");
            handled + silo.status().dead_letters == told
        })
    });
}

/// A purse as the program before had it, and as the next one has it, whose author forgot to count the version up.
mod before {
    use super::*;

    #[derive(Default, Serialize, Deserialize)]
    pub struct Purse {
        cents: u64,
    }

    #[quark::actor(kind = "purse", durable)]
    impl Purse {
        fn put(&mut self, cents: u64) -> u64 {
            self.cents += cents;
            self.cents
        }
    }
}

mod after {
    use super::*;

    #[derive(Default, Serialize, Deserialize)]
    pub struct Purse {
        cents: u64,
        puts: u64,
    }

    #[quark::actor(kind = "purse", durable)]
    impl Purse {
        fn put(&mut self, cents: u64) -> u64 {
            self.cents += cents;
            self.puts += 1;
            self.cents * 100 + self.puts
        }
    }
}

#[test]
fn m26_a_program_of_before_does_not_overwrite_the_fields_that_it_does_not_know() {
    check("m26", || {
        let mut world = World::new(Config::calm(7));
        let old = |builder: SiloBuilder| builder.actor::<before::Purse>();
        let new = |builder: SiloBuilder| builder.actor::<after::Purse>();
        let old = SimCluster::new(world.handle(), "purses", Arc::new(old), None);
        let new = SimCluster::new(world.handle(), "purses", Arc::new(new), None);
        world.block_on(async {
            new.start_all(&["new"]).await;
            let client = new.client("first").await;
            assert_eq!(client.actor::<after::Purse>("p").put(5).await, Ok(501));
            new.stop("new").await;

            old.start_all(&["old"]).await;
            let refused = old.client("second").await.actor::<before::Purse>("p").put(5).await;
            let refused =
                matches!(refused.map_err(|e| e.failure().cloned()), Err(Some(Failure::Corrupt { .. })));
            old.stop("old").await;

            new.start_all(&["newer"]).await;
            let client = new.client("third").await;
            refused && client.actor::<after::Purse>("p").put(1).await == Ok(602)
        })
    });
}
