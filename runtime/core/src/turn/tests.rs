use super::Access::{Exclusive, Shared};
use super::*;

fn at(word: u64) -> Turn {
    Turn(AtomicU64::new(word))
}

fn shows(turn: &Turn, expected: &str) {
    assert_eq!(format!("{turn:?}"), expected);
}

#[test]
fn the_table_of_begin() {
    let check = |word, access, expected, after: &str| {
        let turn = at(word);
        assert_eq!(turn.begin(access), expected, "{:?}", at(word));
        shows(&turn, after);
    };
    check(0, Exclusive, Begin::Run, "exclusive");
    check(0, Shared, Begin::Run, "shared 1");
    check(EXCLUSIVE, Exclusive, Begin::Busy, "exclusive");
    check(EXCLUSIVE, Shared, Begin::Busy, "exclusive");
    check(3, Exclusive, Begin::Busy, "shared 3");
    check(3, Shared, Begin::Run, "shared 4");
    check(3 | QUEUED, Shared, Begin::Busy, "shared 3, queued");
    check(EXCLUSIVE | QUEUED, Shared, Begin::Busy, "exclusive, queued");
    check(SEALED, Exclusive, Begin::Sealed, "idle, sealed");
    check(SEALED | 2, Shared, Begin::Sealed, "shared 2, sealed");
    check(SEALED | EXCLUSIVE | QUEUED, Exclusive, Begin::Sealed, "exclusive, queued, sealed");
    check(SHARED, Shared, Begin::Busy, "shared 4294967295");
}

#[test]
fn the_table_of_mark_queued() {
    let check = |word, expected, after: &str| {
        let turn = at(word);
        assert_eq!(turn.mark_queued(), expected, "{:?}", at(word));
        shows(&turn, after);
    };
    check(0, true, "exclusive");
    check(EXCLUSIVE, false, "exclusive, queued");
    check(2, false, "shared 2, queued");
    check(2 | QUEUED, false, "shared 2, queued");
    check(SEALED, true, "exclusive, sealed");
    check(SEALED | EXCLUSIVE, false, "exclusive, queued, sealed");
}

#[test]
fn the_table_of_end() {
    let check = |word, access, expected, after: &str| {
        let turn = at(word);
        assert_eq!(turn.end(access), expected, "{:?}", at(word));
        shows(&turn, after);
    };
    check(EXCLUSIVE, Exclusive, End::Idle, "idle");
    check(EXCLUSIVE | QUEUED, Exclusive, End::Drain, "exclusive");
    check(1, Shared, End::Idle, "idle");
    check(2, Shared, End::Idle, "shared 1");
    check(2 | QUEUED, Shared, End::Idle, "shared 1, queued");
    check(1 | QUEUED, Shared, End::Drain, "exclusive");
    check(1 | QUEUED | SEALED, Shared, End::Drain, "exclusive, sealed");
    check(EXCLUSIVE | SEALED, Exclusive, End::Idle, "idle, sealed");
}

#[test]
fn a_drainer_shares_what_it_holds() {
    let turn = at(EXCLUSIVE);
    turn.share(2, false);
    shows(&turn, "shared 2");
    assert_eq!(turn.begin(Shared), Begin::Run);

    let turn = at(EXCLUSIVE | QUEUED);
    turn.share(1, false);
    shows(&turn, "shared 1, queued");

    let turn = at(EXCLUSIVE);
    turn.share(1, true);
    assert_eq!(turn.begin(Shared), Begin::Busy);
    assert_eq!(turn.end(Shared), End::Drain);
}

#[test]
fn only_an_idle_turn_is_sealed_for_collection() {
    let turn = Turn::new();
    assert!(turn.seal_if_idle());
    shows(&turn, "exclusive, sealed");
    turn.unseal();
    assert!(!turn.seal_if_idle());
    assert_eq!(turn.end(Exclusive), End::Idle);
    assert!(turn.is_idle() && !turn.is_sealed());
    turn.seal();
    assert!(turn.is_idle() && turn.is_sealed());
}

#[test]
#[should_panic(expected = "an exclusive turn ends that does not run")]
fn ending_what_does_not_run_is_noticed() {
    let _ = at(2).end(Exclusive);
}
