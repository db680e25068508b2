//! How activations end while somebody still wants something from them.

use futures_util::future::join_all;
use quark::{ActorContext, Deserialize, Serialize, SiloConfig};
use quark_sim::{Config, World};
use quark_testkit::sim::SimCluster;
use quark_testkit::stage::Stage;
use std::sync::Arc;
use std::time::Duration;

#[derive(Default, Serialize, Deserialize)]
struct Diary {
    pages: u64,
}

#[quark::actor(kind = "diary", durable)]
impl Diary {
    fn write(&mut self) -> u64 {
        self.pages += 1;
        self.pages
    }
}

/// Takes its time to say goodbye.
#[derive(Default)]
struct Guest;

#[quark::actor(kind = "guest")]
impl Guest {
    fn greet(&mut self) -> u64 {
        1
    }

    #[quark(on_deactivate)]
    async fn say_goodbye(&mut self, ctx: &ActorContext) {
        let diary = ctx.actor::<Diary>("diary");
        for _ in 0..20 {
            diary.write().await.expect("nothing fails here");
        }
    }
}

/// The runtime once looked for the sealed activation again and again, on one stack.
#[test]
fn a_call_during_the_goodbye_waits_for_the_next_activation() {
    let mut world = World::new(Config::new(7));
    let idle_after = Duration::from_millis(200);
    let describe = Arc::new(move |silo: quark::SiloBuilder| {
        silo.actor::<Diary>().actor::<Guest>().config(SiloConfig { idle_after, ..SiloConfig::default() })
    });
    let cluster = SimCluster::new(world.handle(), "endings", describe, None);
    let waited = world.block_on(async {
        cluster.start_all(&["a"]).await;
        let guest = cluster.client("client").await.actor::<Guest>("guest");
        let mut waited = 0;
        for visit in 0..40 {
            let asked_at = cluster.now();
            assert_eq!(guest.greet().await, Ok(1));
            // Longer than a greeting takes, shorter than a goodbye.
            waited += u32::from(cluster.now().since(asked_at) > Duration::from_millis(8));
            cluster.sleep(idle_after + Duration::from_millis(3 * visit)).await;
        }
        waited
    });
    assert!(waited > 0, "no call met a goodbye: the test has shown nothing");
}

/// It once waited for its row to say that it drains, for as long as the store was dark: for ever, if nobody came back.
#[test]
fn silos_that_stop_while_their_store_is_dark_stop_all_the_same() {
    let mut world = World::new(Config::new(8));
    let shutdown_timeout = Duration::from_secs(5);
    let describe = Arc::new(move |silo: quark::SiloBuilder| {
        silo.actor::<Diary>().config(SiloConfig { shutdown_timeout, ..SiloConfig::default() })
    });
    let names = ["a", "b", "c"];
    let cluster = SimCluster::new(world.handle(), "endings", describe, None);
    world.block_on(async {
        cluster.start_all(&names).await;
        cluster.sleep(Duration::from_secs(5)).await;
        assert!(names.iter().all(|name| cluster.cut_store(name)), "the stage can cut a store off");
        cluster.sleep(Duration::from_secs(1)).await;
        let asked_at = cluster.now();
        join_all(names.iter().map(|name| cluster.stop(name))).await;
        let took = cluster.now().since(asked_at);
        // The time-out, and what leaving takes without a store.
        assert!(took < shutdown_timeout + Duration::from_secs(6), "{took:?}");
    });
}
