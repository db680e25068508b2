//! The same story in both worlds: what real processes do, one after the other, the simulator has to know.
//!
//! A pair of events that follow one another in a real cluster and under no seed is a hole in the model, and no seed finds
//! the bug that needs it. What is printed here is in docs/two-worlds.md, and what it means.

use super::{Telling, Told};
use quark_scenarios::stories;
use quark_testkit::case::Case;
use quark_testkit::history::{History, What, WorldEvent};
use quark_testkit::runner::tell_in_full;
use quark_testkit::shape::{Pair, Shape, Side, Table, differences};

/// A pair that real processes show and the simulator does not, in which story, and why it is not a hole.
struct Known {
    story: &'static str,
    pair: &'static str,
    #[expect(dead_code, reason = "it is for whoever reads the list")]
    why: &'static str,
}

/// A commit that the store does not answer is given up at its call's deadline, and at the same moment the caller gives up,
/// on the same silo. Real timers of one moment fire in either order; no seed of this story has the caller first, as some
/// of zombie-silo have.
const CALLER_FIRST: &str = "the deadlines of a commit and of its caller are one moment";

/// A machine whose disk stalls takes a fifth of the deposits, and so leaves some of the forty accounts to the audit, which only
/// reads them. The simulated store of this story never stalls for so long.
const READ_FIRST: &str = "clients too slow to reach every account before the audit does";

const KNOWN: &[Known] = &[
    Known { story: "drain-in-order", pair: "activation: activated > shared turn", why: READ_FIRST },
    Known { story: "clean-partition", pair: "call: asked > ended: indeterminate", why: CALLER_FIRST },
    Known { story: "clean-partition", pair: "call: (begin) > turn end", why: CALLER_FIRST },
];

/// Pairs that every telling of these stories has in both worlds: without them nothing was compared.
const ALWAYS: [&str; 6] = [
    "operation: invoked > returned: ok",
    "call: (begin) > turn",
    "call: asked > committed",
    "activation: activated > turn",
    "activation: turn end > turn",
    "silo: view > lease",
];

const SEEDS: u64 = 30;

/// Compares what real processes did with what the simulator does under many seeds.
fn compare(telling: Telling, on: fn(Telling) -> Told) {
    let story = telling.name;
    let real = Shape::of(&on(telling).history);
    let sim = simulated(story);
    println!("{story}\n{}", Table { sim: &sim, real: &real });
    for pair in ALWAYS.map(|text| text.parse::<Pair>().expect("a pair")) {
        let is_in_both = sim.pairs.contains_key(&pair) && real.pairs.contains_key(&pair);
        assert!(is_in_both, "{story}: `{pair}` has to be in both worlds, or nothing was compared");
    }
    let holes = holes(story, &sim, &real, KNOWN);
    assert!(
        holes.is_empty(),
        "{story}: no seed of {SEEDS} does what real processes did; teach it the simulator, or explain it in `KNOWN`: \
         {holes:#?}"
    );
}

/// What only real processes did, and nobody has explained. Where a chain was cut off is not asked: a silo is killed at
/// any moment, and thirty seeds are few to hit the thousandth of a second in which a commit is under way.
fn holes(story: &str, sim: &Shape, real: &Shape, known: &[Known]) -> Vec<String> {
    let is_known = |pair: &Pair| known.iter().any(|k| k.story == story && k.pair == pair.to_string());
    let differences = differences(sim, real).into_iter();
    let holes = differences.filter(|d| d.side == Side::Real && d.pair.to != Pair::END && !is_known(&d.pair));
    holes.map(|hole| hole.to_string()).collect()
}

/// The shape of the story under many seeds.
fn simulated(story: &str) -> Shape {
    let scenario = stories::all().into_iter().find(|s| s.name == story).expect("there is such a story");
    (0..SEEDS).fold(Shape::default(), |all, seed| {
        let telling = tell_in_full(&scenario, &Case::of(story, seed), None);
        assert!(
            telling.report.violations.is_empty(),
            "{story}, seed {seed}: {:#?}",
            telling.report.violations
        );
        all.and(&Shape::of(&until_healed(&telling.history)))
    })
}

/// Without the epilogue, which real processes are not told: all actors are asked once more, and everything has to be quiet.
fn until_healed(history: &History) -> History {
    let records = history.records();
    let is_over = |what: &What| matches!(what, What::World(WorldEvent::Healed));
    let end = records.iter().rposition(|record| is_over(&record.what)).unwrap_or(records.len());
    History::new(records[..end].to_vec(), history.dropped())
}

#[test]
fn a_pair_that_no_seed_has_is_a_hole_until_it_is_explained() {
    let pair = |text: &str| (text.parse::<Pair>().expect("a pair"), 1);
    let sim = Shape { pairs: [pair("call: turn > asked")].into(), ..Shape::default() };
    let real =
        Shape { pairs: [pair("call: turn > asked"), pair("call: asked > turn")].into(), ..sim.clone() };
    assert_eq!(holes("one", &sim, &real, &[]), ["real only: call: asked > turn (1 times)"]);
    let known = [Known { story: "one", pair: "call: asked > turn", why: "it is a test" }];
    assert_eq!(holes("one", &sim, &real, &known), <[String; 0]>::default());
    assert_eq!(holes("two", &sim, &real, &known).len(), 1, "it was explained of another story");
    let cut =
        Shape { pairs: [pair("call: turn > asked"), pair("call: asked > (end)")].into(), ..sim.clone() };
    assert_eq!(holes("one", &sim, &cut, &[]), <[String; 0]>::default(), "a kill falls anywhere");
    assert_eq!(holes("one", &real, &sim, &[]), <[String; 0]>::default(), "the simulator may do more");
}

#[test]
fn a_crash_looks_alike_in_both_worlds() {
    compare(Telling::of("crash-no-leave"), Telling::on_a_file);
}

#[test]
fn a_zombie_looks_alike_in_both_worlds() {
    compare(Telling::of("zombie-silo"), Telling::on_a_file);
}

/// On Redis: no call may fail, and writers of one file may wait for its lock for too long on a busy machine.
#[test]
fn a_drain_looks_alike_in_both_worlds() {
    compare(Telling::of("drain-in-order"), Telling::on_redis);
}

/// On Redis two silos can be cut off from the store as well: they lose their leases, and their commits fail. With this
/// seed they are.
#[test]
fn a_cut_looks_alike_in_both_worlds() {
    compare(Telling { seed: 4, ..Telling::of("clean-partition") }, Telling::on_redis);
}
