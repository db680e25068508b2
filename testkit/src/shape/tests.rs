use super::*;
use crate::checkers::script::{Script, activated, asked, committed, deactivated, ended, started};
use crate::history::Op;
use std::time::Duration;

/// A deposit as it is told: 4 ms for the client, 2 ms for the store.
fn deposit(script: Script, at: u64, number: u64, epoch: u64) -> Script {
    script
        .at(at)
        .invoke(number, "alice", Op::Add(1))
        .at(at + 1)
        .silo("a#1", started("alice", number))
        .silo("a#1", asked("alice", epoch, number + 1, None))
        .at(at + 3)
        .silo("a#1", committed("alice", epoch, number + 1))
        .silo("a#1", ended("alice", number))
        .at(at + 4)
        .answer(number, Outcome::Ok(number))
}

fn calm() -> Shape {
    let script = Script::new().silo("a#1", SiloEvent::Joined).silo("a#1", activated("alice", 1));
    let script = deposit(deposit(script, 10, 1, 1), 1_020, 2, 1);
    Shape::of(&script.silo("a#1", deactivated("alice", 1)).history())
}

fn pair(text: &str) -> Pair {
    text.parse().expect("a pair")
}

#[test]
fn what_follows_what_is_counted_per_call_activation_silo_and_operation() {
    let pairs: Vec<String> = calm().pairs.iter().map(|(pair, count)| format!("{pair} x {count}")).collect();
    let expected = [
        "operation: (begin) > invoked x 2",
        "operation: invoked > returned: ok x 2",
        "operation: returned: ok > (end) x 2",
        "call: (begin) > turn x 2",
        "call: asked > committed x 2",
        "call: committed > turn end x 2",
        "call: turn > asked x 2",
        "call: turn end > (end) x 2",
        "activation: (begin) > activated x 1",
        "activation: activated > turn x 1",
        "activation: asked > committed x 2",
        "activation: committed > turn end x 2",
        "activation: deactivated: idle > (end) x 1",
        "activation: turn > asked x 2",
        "activation: turn end > deactivated: idle x 1",
        "activation: turn end > turn x 1",
        "silo: (begin) > joined x 1",
        "silo: joined > (end) x 1",
    ];
    assert_eq!(pairs, expected);
}

#[test]
fn events_are_counted_by_silo_and_by_second() {
    let shape = calm();
    assert_eq!(shape.by_silo["a"]["turn"], 2);
    assert_eq!(shape.by_silo["clients"]["invoked"], 2);
    let turns: Vec<_> = shape.by_second.iter().map(|second| second.get("turn").copied()).collect();
    assert_eq!(turns, [Some(1), Some(1)]);
    assert_eq!((shape.served_seconds, shape.rates()["turn"]), (2, 1.0));
}

#[test]
fn what_begins_within_what_is_told_apart() {
    let beside = Script::new()
        .silo("a#1", activated("alice", 1))
        .silo("a#1", started("alice", 1))
        .silo("a#1", started("alice", 2))
        .silo("a#1", ended("alice", 1))
        .silo("a#1", ended("alice", 2))
        .silo("a#1", asked("alice", 1, 2, None))
        .silo("a#1", started("alice", 3))
        .silo("b#1", started("alice", 4));
    let shape = Shape::of(&beside.history());
    let nests: Vec<_> = shape.nests.iter().map(|(what, count)| (&**what, *count)).collect();
    let expected = [
        ("activation > commit", 1),
        ("activation > turn", 1),
        ("activation > turn beside a commit", 1),
        ("activation > turn beside a turn", 1),
        ("no activation > turn", 1),
    ];
    assert_eq!((nests.as_slice(), shape.turns_wide), (&expected[..], 2));
}

#[test]
fn an_operation_that_nobody_knows_of_counts_into_the_unknown_ratio() {
    let script = Script::new().op(1, "alice", Op::Add(1), Outcome::Ok(1));
    let script = script.invoke(2, "alice", Op::Read).invoke(3, "bob", Op::Read);
    let shape = Shape::of(&script.answer(2, Outcome::Unknown).answer(3, Outcome::Failed).history());
    assert_eq!((shape.unknown_ratio(), shape.operations_wide), (1.0 / 3.0, 2));
    assert_eq!(shape.outcomes()["returned: refused"], 0.0);
    assert_eq!(Shape::default().unknown_ratio(), 0.0);
}

#[test]
fn a_quantile_is_at_most_an_eighth_too_low() {
    let mut spread = Spread::default();
    (1..=1_000).for_each(|ms| spread.add(Duration::from_millis(ms)));
    for (percent, exact_ms) in [(1, 10), (50, 500), (90, 900), (99, 990), (100, 1_000)] {
        let found = spread.quantile(percent).expect("there are some").as_micros();
        let exact = exact_ms * 1_000;
        assert!(found <= exact && found * 8 >= exact * 7, "{percent} %: {found} us for {exact} us");
    }
    assert_eq!((spread.count(), Spread::default().quantile(50)), (1_000, None));
}

#[test]
fn a_pair_that_only_one_world_has_is_a_difference_and_only_real_ones_come_first() {
    let crash = Script::new().silo("a#1", activated("alice", 1)).silo("a#1", started("alice", 1)).history();
    let (sim, real) = (Shape::of(&crash), calm());
    let all = differences(&sim, &real);
    let find = |text: &str| all.iter().position(|d| d.pair == pair(text));
    let of_real = find("call: turn > asked").expect("the simulator never asked");
    let of_sim = find("call: turn > (end)").expect("no real turn was cut off");
    assert!(of_real < of_sim, "{all:?}");
    assert_eq!((all[of_real].side, all[of_sim].side), (Side::Real, Side::Sim));
    assert_eq!(find("activation: activated > turn"), None);
    assert_eq!(all[of_real].to_string(), "real only: call: turn > asked (2 times)");
}

#[test]
fn shapes_add_up() {
    let two = calm().and(&calm());
    assert_eq!((two.tellings, two.served_seconds, two.operations_wide), (2, 4, 1));
    assert_eq!(two.pairs[&pair("call: turn > asked")], 4);
    assert_eq!(two.latencies["asked > committed"].count(), 4);
    assert_eq!(two.rates(), calm().rates());
    assert!(differences(&two, &calm()).is_empty());
}

#[test]
fn a_shape_survives_being_written_down() {
    let text = serde_json::to_string(&calm()).expect("a shape is data");
    assert!(text.contains("\"call: turn > asked\":2"), "{text}");
    assert_eq!(serde_json::from_str::<Shape>(&text).expect("it was just written"), calm());
    let wrong = "turn > asked".parse::<Pair>().expect_err("it names no chain");
    assert!(wrong.to_string().starts_with("`turn > asked` is no pair of events"), "{wrong}");
}

#[test]
fn a_table_has_80_columns_and_marks_what_differs() {
    let crash = Script::new().silo("a#1", activated("alice", 1)).silo("a#1", started("alice", 1)).history();
    let (sim, real) = (Shape::of(&crash), calm());
    let table = Table { sim: &sim, real: &real }.to_string();
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    for line in ["! committed ", "! call: turn > asked ", "- call: turn > (end) ", "! asked > committed "] {
        assert!(table.lines().any(|l| l.starts_with(line)), "no `{line}` in\n{table}");
    }
    assert!(table.contains("1.9ms / 1.9ms / 1.9ms"), "2 ms, as its bucket has it:\n{table}");
}
