//! The shortest story: three silos, one account, one crash.

use quark_scenarios::bank::Account;
use quark_sim::{Config, World};
use quark_testkit::sim::SimCluster;
use quark_testkit::stage::Stage;
use std::sync::Arc;
use std::time::Duration;

fn run(seed: u64) -> (u64, u64) {
    let mut world = World::new(Config::new(seed));
    let cluster = SimCluster::new(world.handle(), "bank", Arc::new(|b| b.actor::<Account>()), None);
    world.block_on(async {
        cluster.start_all(&["a", "b", "c"]).await;
        let client = cluster.client("client-1").await;
        for key in 0..10 {
            let account = client.actor::<Account>(&format!("account-{key}"));
            assert_eq!(account.deposit(5).await.expect("a healthy cluster serves"), 5);
        }
        cluster.crash("b");
        cluster.sleep(Duration::from_secs(5)).await;
        for key in 0..10 {
            let account = client.actor::<Account>(&format!("account-{key}"));
            let mut balance = account.balance().await;
            for _ in 0..20 {
                if balance.is_ok() {
                    break;
                }
                cluster.sleep(Duration::from_millis(500)).await;
                balance = account.balance().await;
            }
            assert_eq!(balance.expect("the others took over"), 5, "seed {seed}");
        }
    });
    world.hash()
}

#[test]
fn an_account_survives_its_silo() {
    for seed in 0..20 {
        assert_eq!(run(seed), run(seed), "seed {seed} is deterministic");
    }
}
