use super::*;
use crate::{Generation, SiloName, ViewVersion, hash};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;

const ALL: [Placement; 4] =
    [Placement::RingOwner, Placement::Random, Placement::PreferLocal, Placement::LeastLoaded];

fn silo(number: u64) -> SiloId {
    SiloId::new(SiloName::new(&format!("s{number:02}")).expect("valid"), Generation(1))
}

fn view(statuses: &[Status]) -> View {
    let member = |(number, status): (usize, &Status)| Member {
        id: silo(number as u64),
        address: String::new(),
        status: *status,
        grace: Duration::ZERO,
    };
    View { version: ViewVersion(1), members: statuses.iter().enumerate().map(member).collect() }
}

fn chosen(view: &View, ring: &Ring, strategy: Placement, caller: u64, random: u64) -> Option<SiloId> {
    let loads = |silo: SiloId| u64::from(silo.name.as_str() != "s00") * 10;
    let candidates = Candidates { view, ring, loads: &loads, caller: silo(caller), point: hash::mix(random) };
    choose(strategy, &candidates, random)
}

#[test]
fn nobody_serves_nobody_is_chosen() {
    for statuses in [&[][..], &[Status::Joining, Status::Draining, Status::Dead]] {
        let view = view(statuses);
        for strategy in ALL {
            assert_eq!(chosen(&view, &Ring::of_view(&view), strategy, 0, 1 << 63), None);
        }
    }
}

#[test]
fn local_is_preferred_while_it_serves() {
    let view = view(&[Status::Active, Status::Draining, Status::Active]);
    let ring = Ring::of_view(&view);
    assert_eq!(chosen(&view, &ring, Placement::PreferLocal, 2, 7), Some(silo(2)));
    let elsewhere = chosen(&view, &ring, Placement::PreferLocal, 1, 7).expect("two serve");
    assert!(elsewhere == silo(0) || elsewhere == silo(2));
    // A caller of another incarnation is not there either.
    let old = SiloId::new(silo(2).name, Generation(0));
    let candidates = Candidates { view: &view, ring: &ring, loads: &|_| 0, caller: old, point: 0 };
    assert_ne!(choose(Placement::PreferLocal, &candidates, 7), Some(old));
}

#[test]
fn of_two_silos_the_less_loaded_is_always_found() {
    let view = view(&[Status::Active, Status::Active]);
    let ring = Ring::of_view(&view);
    for random in (0..1000).map(hash::mix) {
        assert_eq!(chosen(&view, &ring, Placement::LeastLoaded, 1, random), Some(silo(0)));
    }
}

#[test]
fn random_reaches_all_about_equally_and_two_choices_shun_the_loaded() {
    let view = view(&[Status::Active; 10]);
    let ring = Ring::of_view(&view);
    let counts = |strategy| {
        let mut counts: BTreeMap<SiloId, u32> = BTreeMap::new();
        for random in (0..10_000).map(hash::mix) {
            *counts.entry(chosen(&view, &ring, strategy, 99, random).expect("ten serve")).or_default() += 1;
        }
        counts
    };
    for strategy in [Placement::Random, Placement::PreferLocal] {
        let counts = counts(strategy);
        assert_eq!(counts.len(), 10);
        assert!(counts.values().all(|count| (850..1150).contains(count)), "{counts:?}");
    }
    // One silo is idle, nine are equally loaded: it gets every pair that it is in, two in ten.
    let counts = counts(Placement::LeastLoaded);
    assert!((1800..2200).contains(&counts[&silo(0)]), "{counts:?}");
    assert!(counts.values().skip(1).all(|count| (750..1050).contains(count)), "{counts:?}");
}

fn statuses() -> impl Strategy<Value = Vec<Status>> {
    let status =
        prop_oneof![Just(Status::Joining), Just(Status::Active), Just(Status::Draining), Just(Status::Dead)];
    prop::collection::vec(status, 0..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Also with a ring of another view, as a race of two views makes it.
    #[test]
    fn only_an_active_silo_is_chosen(now in statuses(), before in statuses(), caller in 0..9u64, random: u64) {
        let (view, before) = (view(&now), view(&before));
        for ring in [Ring::of_view(&view), Ring::of_view(&before)] {
            for strategy in ALL {
                match chosen(&view, &ring, strategy, caller, random) {
                    Some(silo) => prop_assert_eq!(view.member(silo).map(|m| m.status), Some(Status::Active)),
                    None => prop_assert!(strategy == Placement::RingOwner || view.active().next().is_none()),
                }
            }
        }
    }
}
