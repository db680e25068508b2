//! Story 27: many create one record, and somebody deletes it in between.

use crate::bank::Account;
use parking_lot::Mutex;
use quark::core::{Version, WriteId, reached};
use quark::env::Store;
use quark::env::store::{Batch, StoreError};
use quark_sim::Config;
use quark_testkit::story::{Scenario, Tale};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// See its premise.
pub const SCENARIO: Scenario = Scenario {
    name: "create-race",
    premise: "Fifty writers on five nodes create one record if it is absent, delete it, and create it again, while the \
              store loses answers. Every life of the record has one creator, versions only grow, and a check against \
              an earlier life never passes.",
    sometimes: &["create_race.lost", "create_race.stale_refused", "create_race.in_doubt"],
    world: Config::new,
    describe: |silo| silo.actor::<Account>(),
    tell: |story| Box::pin(tell(story.tale())),
    anywhere: Some(|tale| Box::pin(tell(tale))),
    ..Scenario::BLANK
};

const WRITERS: u64 = 50;
const ROUNDS: u64 = 6;

/// Who says to have created which life of the record.
type Lives = Arc<Mutex<BTreeMap<Version, WriteId>>>;

async fn tell(s: Tale) {
    s.given("fifty writers on five nodes");
    let names = ["a", "b", "c", "d", "e"];
    if !s.start_all(&names).await {
        return;
    }
    let mut stores = Vec::new();
    for name in names {
        stores.push(s.stage.store(name).await);
    }
    s.stage.lose_answers(s.draw("doubt", 0, 200_000) as u32);
    let lives: Lives = Arc::default();
    let mut ended = Vec::new();
    for writer in 0..WRITERS {
        let store = stores[(writer % 5) as usize].clone();
        let (story, lives) = (s.clone(), lives.clone());
        let (tell, told) = oneshot::channel();
        ended.push(told);
        s.stage.spawn(Box::pin(async move {
            write(&story, &store, writer, &lives).await;
            let _ = tell.send(());
        }));
    }
    for writer in ended {
        let _ = writer.await;
    }
    s.stage.lose_answers(0);
    let count = lives.lock().len();
    s.finally(format!("the record has had {count} lives, each with one creator"));
    s.require("I2", count > 1, || format!("only {count} lives: nothing raced"));
}

async fn write(s: &Tale, store: &Arc<dyn Store>, writer: u64, lives: &Lives) {
    for round in 0..ROUNDS {
        let number = writer << 32 | round << 8;
        s.stage.sleep(s.draw_time("writer", number, Duration::from_millis(20))).await;
        let create = Batch::new("race", WriteId(u128::from(number) << 8 | 1))
            .expect_absent("row")
            .put("row", number.to_le_bytes().to_vec());
        let Some(version) = surely(store, create, lives, s).await else {
            reached!("create_race.lost");
            continue;
        };
        // It is ours until we delete it: nobody else may, since all check its version.
        let delete = Batch::new("race", WriteId(u128::from(number) << 8 | 2))
            .expect_version("row", version)
            .delete("row");
        if surely(store, delete, &Lives::default(), s).await.is_none() {
            s.violated("I2", format!("writer {writer} could not delete its own record of version {version}"));
        }
        let stale = Batch::new("race", WriteId(u128::from(number) << 8 | 3))
            .expect_version("row", version)
            .put("row", b"stale".to_vec());
        match surely(store, stale, &Lives::default(), s).await {
            None => reached!("create_race.stale_refused"),
            Some(_) => s.violated("I2", format!("a check of version {version} passed after its delete")),
        }
    }
}

/// Commits, retrying the same write id while in doubt; `None` if a check does not hold.
async fn surely(store: &Arc<dyn Store>, batch: Batch, lives: &Lives, s: &Tale) -> Option<Version> {
    loop {
        match store.commit(batch.clone()).await {
            Ok(committed) => {
                let before = lives.lock().insert(committed.version, batch.write_id);
                s.require("I2", before.is_none_or(|id| id == batch.write_id), || {
                    format!(
                        "version {} was given to {before:?} and to {:?}",
                        committed.version, batch.write_id
                    )
                });
                return Some(committed.version);
            }
            Err(StoreError::Conflict { .. }) => return None,
            Err(StoreError::Indeterminate(_)) => reached!("create_race.in_doubt"),
            Err(StoreError::Unavailable(_)) => {}
            Err(error) => {
                s.violated("I2", format!("unexpected: {error}"));
                return None;
            }
        }
        s.stage.sleep(Duration::from_millis(3)).await;
    }
}
