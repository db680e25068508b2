//! A store that loses acknowledged commits, and actors that nobody calls: what rests on a lost commit ends all the same.

use quark::{Silo, SiloBuilder, SiloConfig};
use quark_core::Version;
use quark_scenarios::bank::Account;
use quark_sim::{Config, World};
use quark_testkit::history::SiloEvent;
use quark_testkit::recorder::Recorder;
use quark_testkit::sim::SimCluster;
use quark_testkit::stage::Stage;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

const ACCOUNTS: usize = 300;
const LAG: Duration = Duration::from_secs(5);

fn kinds(builder: SiloBuilder) -> SiloBuilder {
    // Nobody ends for being idle.
    let config = SiloConfig { idle_after: Duration::from_secs(3600), ..SiloConfig::default() };
    builder.actor::<Account>().config(config)
}

async fn deposit_everywhere(silo: &Silo) {
    for account in 0..ACCOUNTS {
        let reference = silo.client().actor::<Account>(&format!("account-{account}"));
        reference.deposit(1).await.expect("serves");
    }
}

fn activations(cluster: &SimCluster) -> usize {
    cluster.silos().iter().map(|(_, silo)| silo.status().activations).sum()
}

#[test]
fn what_rests_on_a_lost_commit_ends_although_nobody_calls_it() {
    let mut config = Config::calm(11);
    config.store.replica_lag = Some(LAG);
    let mut world = World::new(config);
    let recorder = Recorder::of_world(&world.handle());
    let cluster = SimCluster::new(world.handle(), "bank", Arc::new(kinds), Some(recorder.clone()));
    world.block_on(async {
        cluster.start_all(&["a", "b", "c"]).await;
        let silo = cluster.silo("a").expect("it runs");
        deposit_everywhere(&silo).await;
        cluster.sleep(LAG * 2).await;
        assert_eq!(activations(&cluster), ACCOUNTS);
        // A third of them is written once more, and that is lost.
        for account in (0..ACCOUNTS).step_by(3) {
            let reference = silo.client().actor::<Account>(&format!("account-{account}"));
            assert_eq!(reference.deposit(1).await, Ok(2));
        }
        let is_account = |name: &str| name.starts_with('a');
        let lost = cluster.world().fail_over_store(|partition| is_account(&partition.0));
        let lost: BTreeSet<String> = lost.iter().map(|lost| lost.partition.0.to_string()).collect();
        assert_eq!(lost.len(), ACCOUNTS / 3);

        cluster.sleep(Duration::from_secs(3)).await;
        assert_eq!(activations(&cluster), ACCOUNTS - ACCOUNTS / 3, "those, and no others");
        assert_eq!(reported(&recorder), lost);
        let dead_letters: u64 = cluster.silos().iter().map(|(_, silo)| silo.status().dead_letters).sum();
        assert_eq!(dead_letters, 0, "nobody has sent anything");
        let reference = silo.client().actor::<Account>("account-0");
        assert_eq!(reference.balance().await, Ok(1), "what the store has");
        assert_eq!(reference.deposit(1).await, Ok(2), "and it goes on");
        assert_eq!(silo.client().actor::<Account>("account-1").deposit(1).await, Ok(2));
    });
}

fn reported(recorder: &Recorder) -> BTreeSet<String> {
    let history = recorder.history();
    let report = |event: &SiloEvent| match event {
        SiloEvent::StoreWentBack { partition, seen, found } => {
            assert!(*found < *seen && *seen > Version(0));
            Some(partition.to_string())
        }
        _ => None,
    };
    history.silo_records().filter_map(|(_, _, record)| report(&record.event)).collect()
}
