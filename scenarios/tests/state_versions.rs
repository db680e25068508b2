//! What becomes of a stored state when the code that wrote it has changed.

use quark::env::Store;
use quark::env::store::{Record, RecordKey};
use quark::{Deserialize, Failure, Happened, Serialize, SiloBuilder};
use quark_sim::{Config, World};
use quark_testkit::sim::SimCluster;
use quark_testkit::stage::Stage;
use std::sync::Arc;
use std::time::Duration;

/// As the first program had it.
mod first {
    use super::*;

    #[derive(Default, Serialize, Deserialize)]
    pub struct Purse {
        pub cents: u32,
    }

    #[quark::actor(kind = "purse", durable)]
    impl Purse {
        fn put(&mut self, cents: u64) -> u64 {
            self.cents += cents as u32;
            self.cents.into()
        }

        fn content(&self) -> u64 {
            self.cents.into()
        }
    }
}

/// As the third program has it; nobody ever ran the second.
mod third {
    use super::*;

    #[derive(Deserialize)]
    struct PurseV2 {
        cents: u64,
    }

    #[derive(Default, Serialize, Deserialize)]
    pub struct Purse {
        cents: u64,
        currency: String,
    }

    impl From<first::Purse> for PurseV2 {
        fn from(old: first::Purse) -> Self {
            assert_ne!(old.cents, 666, "an upgrade that panics");
            Self { cents: old.cents.into() }
        }
    }

    impl From<PurseV2> for Purse {
        fn from(old: PurseV2) -> Self {
            Self { cents: old.cents, currency: "EUR".into() }
        }
    }

    #[quark::actor(kind = "purse", durable, version = 3, upgrades(first::Purse, PurseV2))]
    impl Purse {
        fn put(&mut self, cents: u64) -> u64 {
            self.cents += cents;
            self.cents
        }

        fn content(&self) -> u64 {
            self.cents
        }
    }
}

/// Runs a story on silos of the first program, `old-…`, and of the third, `new-…`.
fn story<F: Future<Output = ()>>(story: impl FnOnce(SimCluster, SimCluster) -> F) {
    let mut world = World::new(Config::calm(7));
    let handle = world.handle();
    let old = |builder: SiloBuilder| builder.actor::<first::Purse>();
    let new = |builder: SiloBuilder| builder.actor::<third::Purse>();
    let old = SimCluster::new(handle.clone(), "purses", Arc::new(old), None);
    let new = SimCluster::new(handle, "purses", Arc::new(new), None);
    world.block_on(async { story(old, new).await });
}

/// The row of the purse `p`.
async fn row(cluster: &SimCluster, name: &str) -> Record {
    let world = cluster.world();
    let partition = world.partitions().into_iter().find(|p| p.0.ends_with("/p")).expect("it has one");
    let store = world.host(cluster.node(name));
    store.read(&RecordKey { partition, row: "state".into() }).await.expect("reads").expect("it was committed")
}

#[test]
fn an_old_state_is_upgraded_when_it_is_loaded_and_written_by_the_next_commit() {
    story(|old, new| async move {
        old.start_all(&["old"]).await;
        let purse = old.client("before").await.actor::<first::Purse>("p");
        assert_eq!(purse.put(300).await, Ok(300));
        assert_eq!(&row(&old, "old").await.value[..], [251, 44, 1], "as before there were versions");
        old.stop("old").await;

        new.start_all(&["new"]).await;
        let purse = new.client("after").await.actor::<third::Purse>("p");
        assert_eq!(purse.content().await, Ok(300));
        assert_eq!(row(&new, "new").await.value.len(), 3, "to read it is not to write it");
        assert_eq!(purse.put(0).await, Ok(300));
        let record = row(&new, "new").await;
        let (version, state) = quark::stored::open(&record.value).expect("it has a header");
        assert_eq!((version, state), (3, &b"\xFB\x2C\x01\x03EUR"[..]));
    });
}

#[test]
fn a_state_of_a_newer_program_is_refused_and_left_as_it_is() {
    story(|old, new| async move {
        new.start_all(&["new"]).await;
        let purse = new.client("before").await.actor::<third::Purse>("p");
        assert_eq!(purse.put(5).await, Ok(5));
        new.stop("new").await;
        let written = row(&new, "new").await;

        old.start_all(&["old"]).await;
        let purse = old.client("after").await.actor::<first::Purse>("p");
        for _ in 0..2 {
            let failure = purse.put(1).await.expect_err("it cannot be read").failure().cloned();
            let failure = failure.expect("of the runtime");
            assert!(
                matches!(&failure, Failure::NewerState { slot: None, stored: 3, known: 1, actor } if actor.key() == "p")
            );
            assert_eq!((failure.happened(), failure.may_retry()), (Happened::No, false));
        }
        assert_eq!(row(&old, "old").await, written, "nobody touched it");
        old.stop("old").await;

        new.start_all(&["newer"]).await;
        let purse = new.client("again").await.actor::<third::Purse>("p");
        assert_eq!(purse.content().await, Ok(5));
    });
}

#[test]
fn silos_of_two_schema_versions_share_a_cluster() {
    story(|old, new| async move {
        old.start_all(&["old"]).await;
        new.start_all(&["new"]).await;
        let client = new.client("outside").await;
        let (mut here, mut there) = (0, 0);
        for number in 0..32 {
            let key = number.to_string();
            assert_eq!(client.actor::<third::Purse>(&key).put(7).await, Ok(7));
            let silo = new.silo("new").expect("it runs");
            *(if silo.activations().iter().any(|a| a.key() == key) { &mut here } else { &mut there }) += 1;
        }
        assert!(here > 0 && there > 0, "both serve: {here} and {there}");
        old.stop("old").await;
        for number in 0..32 {
            assert_eq!(client.actor::<third::Purse>(&number.to_string()).content().await, Ok(7));
        }
    });
}

#[test]
fn an_upgrade_that_panics_is_supervised_and_leaves_the_state() {
    story(|old, new| async move {
        old.start_all(&["old"]).await;
        assert_eq!(old.client("before").await.actor::<first::Purse>("p").put(666).await, Ok(666));
        old.stop("old").await;
        let written = row(&old, "old").await;

        new.start_all(&["new"]).await;
        let purse = new.client("after").await.actor::<third::Purse>("p");
        let mut quarantined = false;
        for _ in 0..10 {
            match purse.content().await.expect_err("it panics").failure() {
                Some(Failure::Panicked { message }) => assert!(message.contains("an upgrade that panics")),
                Some(Failure::Quarantined { .. }) => quarantined = true,
                other => panic!("{other:?}"),
            }
        }
        assert!(quarantined, "after some panics it is put aside");
        assert_eq!(row(&new, "new").await.value, written.value);
        new.sleep(Duration::from_secs(1)).await;
        assert_eq!(new.silo("new").expect("it runs").status().activations, 0, "nothing is stuck");
    });
}
