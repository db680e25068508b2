//! Story 36: two of five silos lose the store, and nothing else.

use crate::bank::Account;
use crate::workload::Deposits;
use quark_core::{SiloId, reached};
use quark_sim::Config;
use quark_testkit::story::{Scenario, Tale};
use std::time::Duration;

/// See its premise.
pub const SCENARIO: Scenario = Scenario {
    name: "store-only-partition",
    premise: "Two of five silos no longer reach the store, and see all their peers. Nobody vouches for them but one \
              another, which is too few: they run nothing once their leases are over. Back within ten seconds they go \
              on as they were; away for longer, they are evicted and their accounts serve elsewhere. The healthy three \
              notice nothing.",
    sometimes: &[
        "membership.vouched",
        "membership.lease.lost",
        "membership.leaseless.suspected",
        "store_only_partition.went_on",
        "store_only_partition.evicted",
    ],
    world: Config::new,
    describe: |silo| silo.actor::<Account>(),
    tell: |story| Box::pin(tell(story.tale())),
    ..Scenario::BLANK
};

const HEALTHY: [&str; 3] = ["a", "b", "c"];
const CUT_OFF: [&str; 2] = ["d", "e"];
/// A lease, measured from a renewal that was sent before the cut, on a clock that is 0.01 % slow.
const LEASE_OVER: Duration = Duration::from_millis(3_010);
/// Less than `leaseless_max`, which counts from a sign of life that still said that the silo serves.
const FORGIVEN: Duration = Duration::from_secs(10);
/// A lease, `leaseless_max`, and ballots of the three: two suspects, whom the other of the two cut off may contradict.
const EVICTED: Duration = Duration::from_secs(25);
/// `renew_every`, and at most a reading of the row and another renewal.
const HEARTBEAT: Duration = Duration::from_millis(1_200);
/// A reading of the table that names their death: `read_every`, or the longest pause between two readings that failed.
const STOPPED: Duration = Duration::from_secs(6);

async fn tell(s: Tale) {
    s.given("five silos, and steady deposits to thirty accounts");
    if !s.start_all(&["a", "b", "c", "d", "e"]).await {
        return;
    }
    let load = Deposits::start(&s, 4, 30).await;
    s.stage.sleep(Duration::from_secs(3) + s.draw_time("cut", 0, Duration::from_secs(2))).await;
    let (healthy, cut_off) = (ids(&s, &HEALTHY), ids(&s, &CUT_OFF));

    s.when("d and e are cut off from the store");
    CUT_OFF.iter().for_each(|name| _ = s.stage.cut_store(name));
    let cut_at = s.stage.now();
    let lasts = match s.draw("lasts", 0, 3) {
        0 => Duration::from_secs(4) + s.draw_time("short", 0, Duration::from_secs(6)),
        1 => FORGIVEN + s.draw_time("middle", 0, EVICTED - FORGIVEN),
        _ => EVICTED + s.draw_time("long", 0, Duration::from_secs(10)),
    };
    s.stage.sleep((cut_at + LEASE_OVER).since(s.stage.now())).await;
    let before = load.acknowledged();
    while s.stage.now() < cut_at + lasts {
        three_are_well(&s, &healthy);
        let holders: Vec<_> = CUT_OFF.iter().filter(|name| holds_lease(&s, name)).collect();
        s.require("P2", holders.is_empty(), || {
            format!("{holders:?} hold leases {:?} after they lost the store", s.stage.now().since(cut_at))
        });
        if !holders.is_empty() {
            break;
        }
        s.stage.sleep(Duration::from_millis(100)).await;
    }
    let evicted: Vec<bool> = cut_off.iter().map(|id| is_dead(&s, *id)).collect();
    s.require("P12", lasts >= FORGIVEN || !evicted.contains(&true), || {
        format!("of d and e, {evicted:?} were evicted after {lasts:?}")
    });
    s.require("I7", lasts < EVICTED || !evicted.contains(&false), || {
        format!("of d and e, only {evicted:?} were evicted in {lasts:?}: their accounts wait")
    });
    s.require("I7", lasts < EVICTED || load.acknowledged() > before, || {
        format!("nobody took a deposit for {lasts:?}")
    });

    s.when("they reach the store again");
    CUT_OFF.iter().for_each(|name| s.stage.mend_store(name));
    for (name, was_evicted) in CUT_OFF.into_iter().zip(evicted) {
        come_back(&s, name, was_evicted).await;
    }
    three_are_well(&s, &healthy);
    s.finally("every account serves, and has every acknowledged deposit");
    load.stop_and_check(&s).await;
}

/// A silo that was not evicted goes on by itself; one that was stops by itself, and is started again.
async fn come_back(s: &Tale, name: &str, was_evicted: bool) {
    if !was_evicted {
        // maybe: its eviction was under way, and comes after all.
        let settled = || holds_lease(s, name) || !s.stage.is_up(name);
        s.eventually("P12", &format!("{name} holds a lease again"), HEARTBEAT, settled).await;
        if s.stage.is_up(name) {
            return reached!("store_only_partition.went_on");
        }
    }
    reached!("store_only_partition.evicted");
    s.eventually("P12", &format!("{name} has stopped itself"), STOPPED, || !s.stage.is_up(name)).await;
    if let Err(reason) = s.stage.start(name).await {
        s.violated("I7", format!("{name} could not come back: {reason}"));
    }
}

fn ids(s: &Tale, names: &[&str]) -> Vec<SiloId> {
    names.iter().filter_map(|name| s.stage.look(name)).map(|look| look.id).collect()
}

fn holds_lease(s: &Tale, name: &str) -> bool {
    s.stage.is_up(name) && s.stage.look(name).is_some_and(|look| look.lease_valid)
}

fn is_dead(s: &Tale, id: SiloId) -> bool {
    HEALTHY.iter().filter_map(|name| s.stage.look(name)).any(|look| look.view.is_dead(id))
}

/// The healthy three run, hold leases, and are active in one another's views.
fn three_are_well(s: &Tale, ids: &[SiloId]) {
    for (name, id) in HEALTHY.iter().zip(ids) {
        let active = |id: &SiloId, look: &quark_testkit::stage::Look| look.view.active().any(|m| m.id == *id);
        let look =
            s.stage.look(name).filter(|look| s.stage.is_up(name) && look.lease_valid && look.id == *id);
        let is_well = look.is_some_and(|look| ids.iter().all(|id| active(id, &look)));
        s.require("P12", is_well, || format!("{name} has lost its lease, its place or its peers"));
    }
}
