//! Runs every engine through every case, and compares what they did with the published table, `docs/engines.md`.
//!
//! When an engine or the code has changed and the new table is right, `QUARK_BLESS=1` writes it.

mod server;
mod store;
mod table;

use quark_opinions::stages::{be_a_process, on_processes, on_sockets, on_turmoil};
use quark_opinions::streams;
use quark_testkit::transport_conformance::{Case, Observation, cases, sim};
use std::collections::BTreeSet;
use table::{Row, Table, seen};

const ENTRY: &str = "a_process_of_the_stage_is_this_executable";
const SEEDS: std::ops::Range<u64> = 0..20;

#[test]
fn a_process_of_the_stage_is_this_executable() {
    be_a_process();
}

#[test]
fn the_published_table_says_what_the_engines_do() {
    let mut table = Table::default();
    std::thread::scope(|scope| {
        // Real engines mostly wait: their columns are filled beside one another.
        let mut waiting = Vec::new();
        for part in 0..4 {
            waiting.push(scope.spawn(move || column(part, on_sockets)));
            waiting.push(scope.spawn(move || column(part, |case| on_processes(case, ENTRY))));
        }
        for case in cases() {
            let simulated: BTreeSet<Observation> = SEEDS.map(|seed| sim::observe(&case, seed)).collect();
            let turmoil: BTreeSet<Observation> = (0..4).map(|seed| on_turmoil(&case, seed)).collect();
            let cells = vec![seen(&simulated), seen(&turmoil)];
            table.transport.push(Row { case: case.name().replace('_', " "), cells });
        }
        let parts: Vec<_> = waiting.into_iter().map(|part| part.join().expect("the case says why")).collect();
        for (at, row) in table.transport.iter_mut().enumerate() {
            for column in 0..2 {
                row.cells.push(parts[at % 4 * 2 + column][at / 4].to_string());
            }
        }
    });
    let (turmoil, sockets) = (streams::on_turmoil(1), streams::on_sockets());
    for ((case, simulated), (_, real)) in turmoil.into_iter().zip(sockets) {
        table.streams.push(Row { case: case.into(), cells: vec![simulated, real] });
    }
    table.store = store::rows();
    table.compare();
}

/// What a real engine does in every fourth case.
fn column(part: usize, run: impl Fn(&Case) -> Observation) -> Vec<Observation> {
    let settled = |case: &Case| match run(case) {
        // On a busy machine what is noticed at once may be noticed late, never the other way round.
        Observation::AfterSilence => run(case).min(Observation::AfterSilence),
        seen => seen,
    };
    cases().iter().skip(part).step_by(4).map(settled).collect()
}
