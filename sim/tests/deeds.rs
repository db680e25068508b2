//! Faults are choices: each can be left out, and the rest stays what it was.

use quark_sim::{Conditions, Config, DeedKind, NodeId, Purpose, Replay, World, WorldHandle};
use std::collections::BTreeMap;
use std::time::Duration;

fn world(replay: Replay) -> (World, NodeId, NodeId) {
    let world = World::new(Config { log_decisions: true, replay, ..Config::new(5) });
    let (a, b) = (world.add_node("a"), world.add_node("b"));
    (world, a, b)
}

/// Two cuts, a pause, a crash, weather, an outage: all of it begins and ends, but for the crash.
fn trouble(world: &WorldHandle, a: NodeId, b: NodeId) {
    world.cut(a, b);
    world.cut(a, b);
    world.pause(a);
    world.set_default_conditions(Conditions { loss_ppm: 1000, ..Conditions::CLEAR });
    world.begin_store_outage();
    world.crash(b);
}

fn choices(world: &World) -> BTreeMap<(u64, u64), u32> {
    let faults = world.decisions().into_iter().filter(|decision| decision.id.0 == Purpose::Fault);
    faults.map(|decision| ((decision.id.1, decision.id.2), decision.value)).collect()
}

fn without(all: &BTreeMap<(u64, u64), u32>, left_out: (u64, u64)) -> Replay {
    let kept = all.iter().filter(|(choice, _)| **choice != left_out).map(|(c, v)| (*c, *v)).collect();
    Replay::Reduced(BTreeMap::from([(Purpose::Fault, kept)]))
}

#[test]
fn every_fault_is_a_choice_with_a_name_of_its_own() {
    let (world, a, b) = world(Replay::Seeded);
    trouble(&world, a, b);
    let deeds = world.deeds();
    let kinds: Vec<_> = deeds.iter().map(|deed| (deed.kind, deed.begins)).collect();
    let expected = [
        DeedKind::Cut,
        DeedKind::Cut,
        DeedKind::Pause,
        DeedKind::Weather,
        DeedKind::StoreOutage,
        DeedKind::Crash,
    ];
    assert_eq!(kinds, expected.map(|kind| (kind, true)));
    assert_eq!(deeds[3].detail, "lost 1000 ppm");
    assert_eq!(choices(&world).len(), 6);
    let logged: Vec<_> = deeds.iter().filter_map(|deed| deed.choice).collect();
    assert_eq!(logged.len(), 6);
    assert!(logged.iter().all(|choice| choices(&world).contains_key(choice)));
}

#[test]
fn one_fault_is_left_out_and_its_end_ends_no_other() {
    let (first, a, b) = world(Replay::Seeded);
    trouble(&first, a, b);
    let all = choices(&first);
    for deed in first.deeds() {
        let left_out = deed.choice.expect("the test did it, no plan");
        let (world, a, b) = world(without(&all, left_out));
        trouble(&world, a, b);
        let kinds: Vec<_> = world.deeds().iter().map(|deed| deed.kind).collect();
        assert_eq!(kinds.len(), 5, "without {:?}: {kinds:?}", deed.kind);
        assert_eq!(world.is_up(b), deed.kind == DeedKind::Crash);
        assert_eq!(world.pauses(a), u32::from(deed.kind != DeedKind::Pause));
        // The first end of two cuts belongs to the one that was left out.
        let cuts = |world: &World| world.busy_paths().iter().map(|path| path.cuts).max().unwrap_or(0);
        let before = cuts(&world);
        world.uncut(a, b);
        let expected = if deed.kind == DeedKind::Cut { (1, 1) } else { (2, 1) };
        assert_eq!((before, cuts(&world)), expected, "without {:?}", deed.kind);
    }
}

#[test]
fn a_crash_that_is_left_out_says_so_and_does_nothing_before() {
    let (world, _, b) = world(Replay::Reduced(BTreeMap::from([(Purpose::Fault, BTreeMap::new())])));
    let mut told = false;
    assert!(!world.crash_after(b, || told = true));
    assert!(world.is_up(b) && !told);
}

#[test]
fn what_a_plan_does_is_no_choice_of_its_own() {
    let (world, a, b) = world(Replay::Reduced(BTreeMap::from([(Purpose::Fault, BTreeMap::new())])));
    world.set_planned(true);
    trouble(&world, a, b);
    world.set_planned(false);
    world.pause(a);
    assert_eq!(world.deeds().len(), 6);
    assert_eq!((world.pauses(a), world.is_up(b)), (1, false));
    assert!(world.deeds().iter().all(|deed| deed.choice.is_none()));
}

#[test]
fn leaving_out_what_has_no_effect_changes_no_event() {
    let telling = |replay| {
        let (mut world, a, b) = world(replay);
        // Nobody sends anything from a to b, and nobody on a runs.
        world.clog(a, b);
        world.unclog(a, b);
        world.run_for(Duration::from_secs(1));
        (world.does(7, 1), world.meters().polls)
    };
    let none = BTreeMap::from([(Purpose::Fault, BTreeMap::new()), (Purpose::Operation, BTreeMap::new())]);
    assert_eq!(telling(Replay::Seeded), (true, 0));
    assert_eq!(telling(Replay::Reduced(none)), (false, 0));
}
