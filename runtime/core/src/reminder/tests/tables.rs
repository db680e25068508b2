//! Single steps: what goes in, and exactly what comes out.

use super::*;

/// One core that owns a few shards, and what it said.
struct Desk {
    core: Reminders,
    now: Instant,
    wall: WallTime,
}

impl Desk {
    /// Owns shards 0 to `shards`, and has read nothing yet.
    fn new(config: Config, shards: u8) -> (Self, Vec<Action>) {
        let mut desk = Self { core: Reminders::new(config, 1), now: at(1000), wall: wall(1000) };
        let shards = Shard::all().take(usize::from(shards)).collect();
        let out = desk.step(Input::Owned { shards });
        (desk, out)
    }

    fn step(&mut self, input: Input) -> Vec<Action> {
        let mut out = Vec::new();
        self.core.step(self.now, self.wall, input, &mut out);
        self.core.check();
        out
    }

    fn tick(&mut self, millis: u64) -> Vec<Action> {
        (self.now, self.wall) = (at(millis), wall(millis));
        self.step(Input::Tick)
    }

    /// Answers a scan.
    fn scanned(&mut self, scan: &Action, rows: Vec<StoredRow>, more: bool) -> Vec<Action> {
        let Action::Scan { request, .. } = scan else { panic!("{scan:?} is no scan") };
        self.step(Input::Scanned { request: *request, result: Ok(ScannedRows { rows, more }) })
    }

    fn answered(&mut self, fire: &Action, answer: Answer) -> Vec<Action> {
        let Action::Fire { request, .. } = fire else { panic!("{fire:?} is no fire") };
        self.step(Input::FireAnswered { request: *request, answer })
    }

    fn moved(&mut self, action: &Action, result: Result<Version, MoveError>) -> Vec<Action> {
        let Action::MoveRow { request, .. } = action else { panic!("{action:?} is no move") };
        self.step(Input::RowMoved { request: *request, result })
    }

    fn deadline(&self) -> Option<u64> {
        self.core.next_deadline().map(|at| at.0 / 1_000_000)
    }
}

/// Nothing happens but for a reason.
fn quiet() -> Config {
    let far = Duration::from_secs(3600);
    Config {
        recheck_every: Duration::MAX,
        wall_recheck: far,
        read_ahead: Duration::ZERO,
        ..Config::default()
    }
}

/// One shard, with these rows and no others.
fn with_rows(config: Config, rows: Vec<StoredRow>) -> (Desk, Vec<Action>) {
    let (mut desk, out) = Desk::new(config, 1);
    let out = desk.scanned(&out[0], rows, false);
    (desk, out)
}

fn advanced(next: Option<WallTime>) -> Answer {
    Answer::Advanced { next }
}

/// The dues of all fires among these, in milliseconds.
fn fires(actions: &[Action]) -> Vec<i64> {
    let due = |action: &Action| match action {
        Action::Fire { due, .. } => Some(due.0 / 1_000_000),
        _ => None,
    };
    actions.iter().filter_map(due).collect()
}

#[test]
fn a_new_shard_is_read_from_its_beginning() {
    let (desk, out) = Desk::new(quiet(), 1);
    let [Action::Scan { shard, from, limit, .. }] = &out[..] else { panic!("{out:?}") };
    assert_eq!((shard.number(), *from, *limit), (0, RowKey::START, 257));
    assert_eq!(desk.core.counts().shards, 1);
    assert_eq!(desk.core.next_deadline(), None, "an answer comes first");
}

#[test]
fn a_row_fires_when_the_wall_clock_says_so_and_not_before() {
    let due = WallTime(wall(1500).0 + 1);
    let (mut desk, out) = with_rows(quiet(), vec![stored(1, due)]);
    assert!(out.is_empty());
    assert_eq!(desk.core.next_deadline(), Some(Instant(at(1500).0 + 1)));
    assert!(desk.tick(1500).is_empty());
    (desk.now, desk.wall) = (Instant(at(1500).0 + 1), due);
    let out = desk.step(Input::Tick);
    let [Action::Fire { actor: who, name, due: when, .. }] = &out[..] else { panic!("{out:?}") };
    assert_eq!((who, name.as_str(), *when), (&actor(1), "r", due));
}

#[test]
fn a_row_is_moved_only_after_its_answer_and_then_forgotten() {
    let (mut desk, out) = with_rows(quiet(), vec![stored(1, wall(1000))]);
    assert_eq!(fires(&out), [1000]);
    assert!(desk.tick(1100).is_empty());
    let out = desk.answered(&out[0], advanced(Some(wall(2000))));
    let [Action::MoveRow { old, version, next, .. }] = &out[..] else { panic!("{out:?}") };
    assert_eq!((*old, *version), (stored(1, wall(1000)).key, Version(1)));
    assert_eq!(next.as_ref(), Some(&row(1, wall(2000))));
    assert_eq!(desk.core.counts().in_flight, 1);
    assert!(desk.moved(&out[0], Ok(Version(9))).is_empty());
    assert_eq!((desk.core.counts().in_flight, desk.core.counts().waiting), (0, 1));
    // The next row is known without a read, with the version of the commit.
    assert_eq!(desk.deadline(), Some(2000));
    let out = desk.tick(2000);
    let out = desk.answered(&out[0], advanced(None));
    let [Action::MoveRow { version: Version(9), next: None, .. }] = &out[..] else { panic!("{out:?}") };
    desk.moved(&out[0], Ok(Version(10)));
    assert_eq!(desk.core.counts(), Counts { shards: 1, fired: 2, advanced: 2, ..Counts::default() });
    assert_eq!(desk.core.next_deadline(), None, "an empty shard costs nothing");
}

#[test]
fn a_failed_fire_is_tried_again_later_and_later() {
    let (mut desk, mut out) = with_rows(quiet(), vec![stored(1, wall(1000))]);
    let mut waits = Vec::new();
    for _ in 0..12 {
        assert_eq!(fires(&out), [1000]);
        assert!(desk.answered(&out[0], Answer::Failed).is_empty());
        let next = desk.deadline().expect("a retry") + 1;
        waits.push(next - desk.now.0 / 1_000_000);
        out = desk.tick(next);
    }
    for (tries, wait) in waits.iter().enumerate() {
        let most = (200u64 << tries).min(60_000);
        assert!((most / 2..=most + 1).contains(wait), "{waits:?}");
    }
    assert_eq!(desk.core.counts().failed, 12);
}

#[test]
fn a_failed_move_is_tried_again_without_a_second_fire() {
    let (mut desk, out) = with_rows(quiet(), vec![stored(1, wall(1000))]);
    let first = desk.answered(&out[0], advanced(Some(wall(2000))));
    assert!(desk.moved(&first[0], Err(MoveError::Unavailable)).is_empty());
    let next = desk.deadline().expect("a retry") + 1;
    let again = desk.tick(next);
    let (Action::MoveRow { old: a, next: x, .. }, Action::MoveRow { old: b, next: y, .. }) =
        (&first[0], &again[0])
    else {
        panic!("{again:?}")
    };
    assert_eq!((a, x), (b, y));
}

#[test]
fn a_conflict_is_answered_by_reading_again() {
    let (mut desk, out) = with_rows(quiet(), vec![stored(1, wall(1000))]);
    let out = desk.answered(&out[0], advanced(None));
    let out = desk.moved(&out[0], Err(MoveError::Conflict));
    let [Action::Scan { from, .. }] = &out[..] else { panic!("{out:?}") };
    assert_eq!(*from, stored(1, wall(1000)).key);
    // Set again for the same time: the row is there in a newer version, and fires.
    let again = StoredRow { version: Version(5), ..stored(1, wall(1000)) };
    assert_eq!(fires(&desk.scanned(&out[0], vec![again], false)), [1000]);
}

#[test]
fn a_row_set_again_between_a_move_and_its_answer_is_not_forgotten() {
    let (mut desk, out) = with_rows(quiet(), vec![stored(1, wall(1000))]);
    let moves = desk.answered(&out[0], advanced(None));
    // The move is done, its answer on its way; the reminder is set again for the same time, and read.
    let shard = Shard::new(0).expect("a shard");
    let out = desk.step(Input::Registered { shard, due: wall(1000), message: 1 });
    let again = StoredRow { version: Version(5), ..stored(1, wall(1000)) };
    assert!(desk.scanned(&out[1], vec![again.clone()], false).is_empty(), "its old self is under way");
    let out = desk.moved(&moves[0], Ok(Version(4)));
    assert_eq!(fires(&desk.scanned(&out[0], vec![again], false)), [1000]);
}

#[test]
fn a_registration_is_acknowledged_by_the_owner_alone_and_read_in_time() {
    let (mut desk, _) = with_rows(quiet(), vec![stored(1, wall(9000))]);
    let [mine, other] = [0, 1].map(|n| Shard::new(n).expect("a shard"));
    assert!(desk.step(Input::Registered { shard: other, due: wall(4000), message: 1 }).is_empty());
    let out = desk.step(Input::Registered { shard: mine, due: wall(4000), message: 2 });
    assert_eq!(out, [Action::Acknowledge { message: 2 }]);
    assert_eq!(desk.deadline(), Some(4000));
    let out = desk.tick(4000);
    let [Action::Scan { from, .. }] = &out[..] else { panic!("{out:?}") };
    assert_eq!(*from, RowKey::first_at(wall(4000)));
    let out = desk.scanned(&out[0], vec![stored(2, wall(4000)), stored(1, wall(9000))], false);
    assert_eq!(fires(&out), [4000]);
    assert_eq!(desk.core.counts().waiting, 1);
}

#[test]
fn a_row_written_during_a_read_is_read_again() {
    let (mut desk, scan) = Desk::new(quiet(), 1);
    let shard = Shard::new(0).expect("a shard");
    desk.step(Input::Registered { shard, due: wall(500), message: 1 });
    // The read had passed that point when the row was written.
    let out = desk.scanned(&scan[0], vec![], false);
    let [Action::Scan { from, .. }] = &out[..] else { panic!("{out:?}") };
    assert_eq!(*from, RowKey::first_at(wall(500)));
}

#[test]
fn a_lost_shard_is_dropped_with_what_was_under_way() {
    let (mut desk, out) = with_rows(quiet(), vec![stored(1, wall(1000)), stored(2, wall(2000))]);
    assert!(desk.step(Input::Owned { shards: vec![] }).is_empty());
    assert_eq!(desk.core.counts(), Counts { fired: 1, ..Counts::default() });
    assert!(desk.answered(&out[0], advanced(None)).is_empty(), "the new owner finds the row stale");
    assert!(desk.tick(5000).is_empty());
}

#[test]
fn a_shard_that_stays_is_read_again_with_each_view() {
    let (mut desk, _) = with_rows(quiet(), vec![stored(1, wall(9000))]);
    let shards = vec![Shard::new(0).expect("a shard")];
    let out = desk.step(Input::Owned { shards });
    assert!(matches!(out[..], [Action::Scan { from: RowKey::START, .. }]), "{out:?}");
    desk.scanned(&out[0], vec![stored(1, wall(9000)), stored(2, wall(9500))], false);
    assert_eq!(desk.core.counts().waiting, 2);
}

#[test]
fn a_wall_clock_that_is_set_back_fires_nothing_twice() {
    let (mut desk, out) = with_rows(quiet(), vec![stored(1, wall(1000)), stored(2, wall(1200))]);
    desk.wall = wall(10);
    let out = desk.answered(&out[0], advanced(Some(wall(1100))));
    assert!(fires(&desk.moved(&out[0], Ok(Version(2)))).is_empty());
    // 1090 ms to go by the wall clock, from 1000 ms of the other.
    assert_eq!(desk.deadline(), Some(2090));
    (desk.now, desk.wall) = (at(2090), wall(1100));
    assert_eq!(fires(&desk.step(Input::Tick)), [1100]);
}

#[test]
fn the_wall_clock_is_looked_at_as_often_as_configured() {
    let config = Config { wall_recheck: ms(700), ..quiet() };
    let (mut desk, _) = with_rows(config, vec![stored(1, wall(1_000_000))]);
    assert_eq!(desk.deadline(), Some(1700));
    (desk.now, desk.wall) = (at(1700), wall(2_000_000));
    assert_eq!(fires(&desk.step(Input::Tick)), [1_000_000], "it was set forward");
}

#[test]
fn catching_up_goes_by_the_rate_and_in_the_order_of_due_times() {
    let config = Config { fires_per_second: 10, burst: 3, ..quiet() };
    let rows = (0..20).map(|n| stored(n, wall(900 - n))).collect();
    let (mut desk, out) = with_rows(config, rows);
    assert_eq!(fires(&out), [881, 882, 883]);
    assert_eq!(desk.deadline(), Some(1100));
    assert_eq!(fires(&desk.tick(1100)), [884]);
    assert_eq!(fires(&desk.tick(1199)), [0i64; 0]);
    assert_eq!(fires(&desk.tick(5000)), [885, 886, 887], "time saves up no more than the burst");
    assert_eq!(desk.core.counts().oldest_overdue, ms(5000 - 881));
}

#[test]
fn no_more_is_under_way_than_configured() {
    let config = Config { in_flight_max: 2, ..quiet() };
    let (mut desk, out) = with_rows(config, (0..5).map(|n| stored(n, wall(500 + n))).collect());
    assert_eq!(fires(&out), [500, 501]);
    assert_eq!(desk.core.next_deadline(), None, "an answer comes first");
    let moves = desk.answered(&out[0], advanced(None));
    assert!(fires(&moves).is_empty(), "a move takes the place of its fire");
    assert_eq!(fires(&desk.moved(&moves[0], Ok(Version(2)))), [502]);
}

#[test]
fn shards_take_turns() {
    let config = Config { in_flight_max: 6, ..quiet() };
    let (mut desk, scans) = Desk::new(config, 3);
    // A backlog in one, and little in the others. Nothing fires while the first is not read.
    let many: Vec<StoredRow> = (0..100).map(|n| stored(n, wall(100 + n))).collect();
    desk.wall = wall(50);
    desk.scanned(&scans[0], many, false);
    desk.scanned(&scans[1], vec![stored(200, wall(900))], false);
    desk.scanned(&scans[2], vec![stored(300, wall(901))], false);
    let out = desk.tick(1001);
    let mut found = fires(&out);
    found.sort_unstable();
    assert_eq!(found, [100, 101, 102, 103, 900, 901]);
}

#[test]
fn a_backlog_is_read_window_by_window() {
    let config = Config { window_rows_max: 8, fires_per_second: 1_000_000, burst: 1000, ..quiet() };
    let all: Vec<StoredRow> = (0..50).map(|n| stored(n, wall(100 + n))).collect();
    let (mut desk, mut out) = Desk::new(config, 1);
    let mut fired = Vec::new();
    let mut rest = std::collections::VecDeque::new();
    loop {
        fired.extend(fires(&out));
        rest.extend(out);
        assert!(desk.core.counts().waiting <= 8);
        let Some(action) = rest.pop_front() else { break };
        out = match &action {
            Action::Scan { from, limit, .. } => {
                let rows: Vec<StoredRow> =
                    all.iter().filter(|r| r.key >= *from).take(*limit).cloned().collect();
                let more = all.iter().filter(|r| r.key >= *from).count() > rows.len();
                desk.scanned(&action, rows, more)
            }
            Action::Fire { .. } => desk.answered(&action, advanced(None)),
            Action::MoveRow { .. } => desk.moved(&action, Ok(Version(2))),
            Action::Acknowledge { .. } => panic!("nobody registered"),
        };
    }
    assert_eq!(fired, (100..150).collect::<Vec<i64>>());
}

#[test]
fn rows_that_always_fail_do_not_keep_others_out() {
    let config = Config { window_rows_max: 4, in_flight_max: 2, ..quiet() };
    let (mut desk, mut out) = Desk::new(config, 1);
    // Ten that fail for ever stand before one that does not.
    let all: Vec<StoredRow> = (0..11).map(|n| stored(n, wall(100 + n))).collect();
    let mut rest = std::collections::VecDeque::new();
    let mut steps = 0;
    while !fires(&out).contains(&110) {
        rest.extend(out);
        steps += 1;
        assert!(steps < 1000, "the last row never had its turn");
        let Some(action) = rest.pop_front() else {
            let next = desk.deadline().expect("there is something to try again");
            out = desk.tick(next + 1);
            continue;
        };
        out = match &action {
            Action::Scan { from, limit, .. } => {
                let rows: Vec<StoredRow> =
                    all.iter().filter(|r| r.key >= *from).take(*limit).cloned().collect();
                desk.scanned(&action, rows.clone(), rows.last().is_some_and(|r| r.key < all[10].key))
            }
            _ => desk.answered(&action, Answer::Failed),
        };
    }
}

#[test]
fn a_shard_is_read_again_as_often_as_configured() {
    let config = Config { recheck_every: ms(5000), ..quiet() };
    let (mut desk, _) = with_rows(config, vec![]);
    assert_eq!(desk.deadline(), Some(6000));
    let out = desk.tick(6000);
    assert!(matches!(out[..], [Action::Scan { from: RowKey::START, .. }]), "{out:?}");
}

#[test]
fn a_failed_read_is_tried_again() {
    let (mut desk, out) = Desk::new(quiet(), 1);
    let Action::Scan { request, .. } = out[0] else { panic!("{out:?}") };
    assert!(desk.step(Input::Scanned { request, result: Err(ScanFailed) }).is_empty());
    let next = desk.deadline().expect("a retry") + 1;
    assert!((1100..=1202).contains(&next), "{next}");
    let out = desk.tick(next);
    assert!(matches!(out[..], [Action::Scan { .. }]), "{out:?}");
    // More, and nothing: no progress, so a failure like any other.
    assert!(desk.scanned(&out[0], vec![], true).is_empty());
    // And an answer to a question of long ago is none.
    assert!(desk.step(Input::Scanned { request, result: Err(ScanFailed) }).is_empty());
}

#[test]
#[should_panic(expected = "a retry at once would never end")]
fn a_configuration_that_contradicts_itself_is_refused() {
    let _ = Reminders::new(Config { retry_min: Duration::ZERO, ..Config::default() }, 1);
}
