use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

const MS: u64 = 1_000_000;
const YEAR: u64 = 365 * 24 * 3600 * 1000 * MS;

fn ms(n: u64) -> Instant {
    Instant(n * MS)
}

fn fired<T>(wheel: &mut Wheel<T>, now: Instant) -> Vec<(Instant, T)> {
    let mut all = Vec::new();
    wheel.advance(now, &mut |_, at, value| all.push((at, value)));
    wheel.check();
    all
}

#[test]
fn a_timer_never_fires_early_and_at_most_a_tick_late() {
    let mut wheel = Wheel::new(ms(0));
    wheel.insert(Instant(5 * MS + 1), "a");
    assert_eq!(wheel.next_deadline(), Some(ms(6)));
    assert!(fired(&mut wheel, Instant(5 * MS + 1)).is_empty());
    assert!(fired(&mut wheel, Instant(6 * MS - 1)).is_empty());
    assert_eq!(fired(&mut wheel, ms(6)), [(Instant(5 * MS + 1), "a")]);
    assert!(wheel.is_empty());
    assert_eq!(wheel.next_deadline(), None);
}

#[test]
fn timers_fire_by_deadline_and_then_by_order_of_coming() {
    let mut wheel = Wheel::new(ms(10));
    // Of the past, of the same tick in both orders, and of several levels.
    for (at, name) in [(7_000, 'a'), (20_000, 'b'), (19_500, 'c'), (20_000, 'd'), (9_000, 'e'), (7_000, 'f')]
    {
        wheel.insert(Instant(at * 1_000), name);
    }
    for (at, name) in [(5_000, 'g'), (300_000, 'h'), (5_000, 'i'), (21, 'j')] {
        wheel.insert(ms(at), name);
    }
    assert_eq!(wheel.next_deadline(), Some(ms(10)));
    let order: String = fired(&mut wheel, ms(1_000_000)).into_iter().map(|(_, name)| name).collect();
    assert_eq!(order, "afecbdjgih");
}

#[test]
fn those_of_one_deadline_keep_their_order_through_every_level() {
    let mut wheel = Wheel::new(ms(0));
    let at = ms(3 * 64 * 64 * 64 + 5);
    for n in 0..4 {
        wheel.insert(at, n);
        // The clock walks on between them, so that they are set on different levels.
        let _ = fired(&mut wheel, ms([10, 64 * 64 * 64 * 2 + 1, 3 * 64 * 64 * 64 + 1, 0][n]));
    }
    let order: Vec<usize> = fired(&mut wheel, at).into_iter().map(|(_, n)| n).collect();
    assert_eq!(order, [0, 1, 2, 3]);
}

#[test]
fn a_key_finds_only_its_own_timer() {
    let mut wheel = Wheel::new(ms(0));
    let first = wheel.insert(ms(5), 1);
    assert_eq!(wheel.deadline(first), Some(ms(5)));
    assert_eq!(wheel.cancel(first), Some(1));
    assert_eq!(wheel.cancel(first), None);
    let second = wheel.insert(ms(5), 2);
    assert_ne!(first, second, "the place is the same, the timer is not");
    assert_eq!(wheel.cancel(first), None);
    assert_eq!(fired(&mut wheel, ms(5)), [(ms(5), 2)]);
    assert_eq!(wheel.cancel(second), None);
    assert_eq!(wheel.deadline(second), None);
}

#[test]
fn a_year_is_skipped_in_a_few_steps() {
    let mut wheel = Wheel::new(ms(3));
    wheel.insert(Instant(YEAR), ());
    wheel.insert(Instant(100 * YEAR), ());
    let mut wakes = 0;
    while wheel.len() == 2 {
        let next = wheel.next_deadline().expect("there are timers");
        assert!(next.0 <= YEAR);
        let _ = fired(&mut wheel, next);
        wakes += 1;
    }
    assert!(wakes <= LEVELS, "{wakes} wakes");
    assert_eq!(fired(&mut wheel, Instant(200 * YEAR)).len(), 1);
}

#[test]
fn never_never_comes() {
    let mut wheel = Wheel::new(ms(0));
    let key = wheel.insert(Instant::NEVER, ());
    assert!(fired(&mut wheel, Instant::NEVER).is_empty());
    assert_eq!(wheel.next_deadline(), None);
    assert_eq!(wheel.cancel(key), Some(()));
    wheel.check();
}

#[test]
fn a_clock_that_goes_back_is_no_progress() {
    let mut wheel = Wheel::new(ms(100));
    wheel.insert(ms(150), 'a');
    assert!(fired(&mut wheel, ms(20)).is_empty());
    wheel.insert(ms(50), 'b');
    assert_eq!(fired(&mut wheel, ms(20)), [(ms(50), 'b')], "it was due when it was set");
    assert_eq!(fired(&mut wheel, ms(150)), [(ms(150), 'a')]);
}

/// What is done to the wheel and to the model.
#[derive(Clone, Debug)]
enum Move {
    Insert {
        ahead: u64,
    },
    InsertPast {
        behind: u64,
    },
    /// Again at the deadline of the one that was set so many ago.
    InsertSame {
        nth: usize,
    },
    Cancel {
        nth: usize,
    },
    Advance {
        by: u64,
    },
    AdvanceToNext,
}

/// Spans of every size, so that every level is used.
fn span() -> impl Strategy<Value = u64> {
    (0u32..57, any::<u64>()).prop_map(|(bits, n)| n & ((1 << bits) - 1))
}

fn moves() -> impl Strategy<Value = Move> {
    prop_oneof![
        6 => span().prop_map(|ahead| Move::Insert { ahead }),
        1 => span().prop_map(|behind| Move::InsertPast { behind }),
        2 => (0usize..20).prop_map(|nth| Move::InsertSame { nth }),
        3 => (0usize..40).prop_map(|nth| Move::Cancel { nth }),
        3 => span().prop_map(|by| Move::Advance { by }),
        3 => Just(Move::AdvanceToNext),
    ]
}

/// The simplest thing that is right: everything sorted by deadline and number.
#[derive(Default)]
struct Model {
    timers: BTreeMap<(Instant, u64), TimerKey>,
    keys: Vec<(TimerKey, Instant, u64)>,
    numbers: u64,
}

impl Model {
    fn insert(&mut self, wheel: &mut Wheel<u64>, at: Instant) {
        self.numbers += 1;
        let key = wheel.insert(at, self.numbers);
        self.timers.insert((at, self.numbers), key);
        self.keys.push((key, at, self.numbers));
    }

    fn nth_last(&self, nth: usize) -> Option<(TimerKey, Instant, u64)> {
        self.keys.iter().rev().nth(nth).copied()
    }

    /// What has to fire: all whose deadline has passed at the start of the current millisecond, in order.
    fn advance(&mut self, now: Instant) -> Vec<(TimerKey, Instant, u64)> {
        let later = self.timers.split_off(&(Instant(now.0 / MS * MS + 1), 0));
        let due = std::mem::replace(&mut self.timers, later);
        due.into_iter().map(|((at, number), key)| (key, at, number)).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_wheel_does_what_a_sorted_map_does(
        start in 0u64..1 << 60,
        moves in proptest::collection::vec(moves(), 1..120),
    ) {
        let mut now = Instant(start);
        let mut wheel = Wheel::new(now);
        let mut model = Model::default();
        for step in moves {
            let before = now;
            match step {
                Move::Insert { ahead } => model.insert(&mut wheel, Instant(now.0.saturating_add(ahead))),
                Move::InsertPast { behind } => model.insert(&mut wheel, Instant(now.0.saturating_sub(behind))),
                Move::InsertSame { nth } => {
                    if let Some((_, at, _)) = model.nth_last(nth) {
                        model.insert(&mut wheel, at);
                    }
                }
                Move::Cancel { nth } => {
                    if let Some((key, at, number)) = model.nth_last(nth) {
                        let expect = model.timers.remove(&(at, number)).map(|_| number);
                        prop_assert_eq!(wheel.cancel(key), expect);
                    }
                }
                Move::Advance { by } => now = Instant(now.0.saturating_add(by).min(u64::MAX - MS)),
                Move::AdvanceToNext => now = now.max(wheel.next_deadline().unwrap_or(now)),
            }
            if now != before || matches!(step, Move::Advance { .. } | Move::AdvanceToNext) {
                let mut found = Vec::new();
                wheel.advance(now, &mut |key, at, value| found.push((key, at, value)));
                prop_assert_eq!(found, model.advance(now));
            }
            wheel.check();
            prop_assert_eq!(wheel.len(), model.timers.len());
            // Never late: the earliest has not to fire before the next deadline.
            let first = model.timers.keys().next().map(|(at, _)| tick_of(*at));
            let next = wheel.next_deadline();
            prop_assert_eq!(next.is_some(), first.is_some());
            if let (Some(first), Some(next)) = (first, next) {
                prop_assert!(next <= time_of(first.max(now.0 / MS)), "{:?} is late for {}", next, first);
                prop_assert!(next.0 >= now.0 / MS * MS, "it would wake at once, for ever");
            }
        }
    }

    #[test]
    fn following_the_next_deadline_fires_everything_within_few_wakes(
        ats in proptest::collection::vec(span(), 1..60),
    ) {
        let mut wheel = Wheel::new(Instant::ZERO);
        for at in &ats {
            wheel.insert(Instant(*at), ());
        }
        let mut wakes = 0;
        let mut last = None;
        while let Some(next) = wheel.next_deadline() {
            prop_assert!(last.is_none_or(|l| l < next) || next == Instant::ZERO, "no progress at {:?}", next);
            last = Some(next);
            wheel.advance(next, &mut |_, at, ()| assert!(at <= next && next.0 - at.0 < MS));
            wakes += 1;
        }
        prop_assert!(wheel.is_empty());
        prop_assert!(wakes <= ats.len() * LEVELS + 1);
    }
}
