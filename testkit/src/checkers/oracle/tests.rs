use super::super::script::{Script, broken, rejected};
use super::*;

/// A cell whose answers are what they saw.
struct Cell;

#[derive(Clone, Copy, PartialEq, Debug)]
enum CellOp {
    Write,
    Read,
}

impl Model for Cell {
    type Key = ();
    type State = u64;
    type Op = CellOp;
    type Answer = Seen;

    fn key(&self, _: &CellOp) {}

    fn initial(&self, (): &()) -> u64 {
        0
    }

    fn apply(&self, version: &u64, op: &CellOp) -> (u64, Seen) {
        let after = *version + u64::from(*op == CellOp::Write);
        (
            after,
            Seen { version: after, after: (*op == CellOp::Write).then_some(*version), content: Some(after) },
        )
    }

    fn is_read(&self, op: &CellOp) -> bool {
        *op == CellOp::Read
    }
}

impl Versioned for Cell {
    fn seen(&self, _: &CellOp, answer: &Seen) -> Option<Seen> {
        Some(*answer)
    }
}

fn oracle() -> VersionOracle<Cell> {
    VersionOracle::new("cells", Cell)
}

fn wrote(version: u64, after: u64) -> Seen {
    Seen { version, after: Some(after), content: Some(version * 10) }
}

fn read(version: u64) -> Seen {
    Seen { version, after: None, content: Some(version * 10) }
}

/// Positions: 0, 1 writes 1; 2, 3 reads it; 4, 5 writes 2; 6, 7 reads it.
fn valid() -> Script {
    Script::new()
        .user("cells", 1, CellOp::Write, wrote(1, 0))
        .user("cells", 2, CellOp::Read, read(1))
        .user("cells", 3, CellOp::Write, wrote(2, 1))
        .user("cells", 4, CellOp::Read, read(2))
}

#[test]
fn versions_have_one_writer_one_content_and_one_predecessor() {
    // Without its answer (`drop 1`), or after it (`swap 0`), a write is one of those of whom nobody knows.
    assert_eq!(rejected(&oracle(), &valid()), "drop 0, drop 4");
    let after = |op, seen| broken(&oracle(), valid().user("cells", 9, op, seen));
    assert_eq!(after(CellOp::Read, read(1)), ["P3"], "it falls behind");
    assert_eq!(after(CellOp::Read, Seen { content: Some(1), ..read(2) }), ["P3"], "another content");
    assert_eq!(after(CellOp::Read, read(3)), ["P3"], "a phantom");
    assert_eq!(after(CellOp::Write, wrote(3, 1)), ["P3"], "a lost update");
    assert_eq!(after(CellOp::Write, wrote(2, 1)), ["P3", "P3"], "the same version twice");
    assert_eq!(after(CellOp::Read, read(0)), ["P3"], "what was there is absent");
    assert_eq!(after(CellOp::Write, wrote(3, 2)), [] as [&str; 0]);
}

#[test]
fn what_nobody_knows_may_have_been_written_once() {
    let doubt = || valid().open("cells", 5, CellOp::Write);
    assert_eq!(broken(&oracle(), doubt().user("cells", 6, CellOp::Read, read(3))), [] as [&str; 0]);
    let two = doubt().user("cells", 6, CellOp::Read, read(3)).user("cells", 7, CellOp::Read, read(4));
    assert_eq!(broken(&oracle(), two), ["P3"]);
}
