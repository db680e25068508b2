//! What is read as bits is what the full parser reads.

use super::*;
use crate::schedule::plain::Plain;
use jiff::civil::DateTime;
use proptest::prelude::*;

/// A field of numbers within these bounds.
fn field(min: u16, max: u16) -> BoxedStrategy<String> {
    let span = (min..=max, min..=max).prop_map(|(a, b)| (a.min(b), a.max(b)));
    let item = prop_oneof![
        4 => (min..=max).prop_map(|number| number.to_string()),
        2 => span.clone().prop_map(|(a, b)| format!("{a}-{b}")),
        1 => (span, 1u16..70).prop_map(|((a, b), step)| format!("{a}-{b}/{step}")),
        1 => (1u16..70).prop_map(|step| format!("*/{step}")),
    ];
    prop_oneof![2 => Just("*".to_owned()), 3 => proptest::collection::vec(item, 1..4).prop_map(|list| list.join(","))]
        .boxed()
}

fn expression() -> impl Strategy<Value = String> {
    let seconds = prop_oneof![field(0, 59).prop_map(|text| text + " "), Just(String::new())];
    (seconds, field(0, 59), field(0, 23), field(1, 31), field(1, 12), field(0, 7)).prop_map(
        |(second, minute, hour, day, month, weekday)| {
            format!("{second}{minute} {hour} {day} {month} {weekday}")
        },
    )
}

fn shown() -> impl Strategy<Value = DateTime> {
    (any::<i64>(), any::<bool>()).prop_map(|(ns, is_whole)| {
        let ns = if is_whole { ns - ns.rem_euclid(1_000_000_000) } else { ns };
        zone::timestamp(WallTime(ns.max(i64::MIN + 1_000_000_000)))
            .to_zoned(jiff::tz::TimeZone::UTC)
            .datetime()
    })
}

/// Both, from a time on and after it.
fn agree(plain: &Plain, full: &croner::Cron, shown: DateTime) -> Result<(), TestCaseError> {
    prop_assert_eq!(plain.has_all_hours(), full.pattern.hours.values().len() == 24);
    prop_assert_eq!(plain.next(shown, false), full.find_next_occurrence(&shown, false).ok());
    if shown.subsec_nanosecond() == 0 {
        prop_assert_eq!(plain.next(shown, true), full.find_next_occurrence(&shown, true).ok());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_expression_of_numbers_is_read_as_the_full_parser_reads_it(expression in expression(), shown in shown()) {
        let plain = Plain::read(&expression);
        prop_assert!(plain.is_some(), "`{}` is plain", expression);
        let full = fields::parse(&expression);
        prop_assert!(full.is_ok(), "`{}`: {:?}", expression, full);
        agree(&plain.expect("just looked"), &full.expect("just looked"), shown)?;
    }

    #[test]
    fn what_the_full_parser_refuses_is_not_plain(
        expression in "([0-9*/,LW#?+-]{1,5})( ([0-9*/,LW#?+-]{1,5})){4,5}",
        shown in shown(),
    ) {
        if let Some(plain) = Plain::read(&expression) {
            let full = fields::parse(&expression);
            prop_assert!(full.is_ok(), "`{}`: {:?}", expression, full);
            agree(&plain, &full.expect("just looked"), shown)?;
        }
    }
}

#[test]
fn a_day_that_never_comes_is_found_out_and_one_that_comes_in_eight_years_is_found() {
    let at = |year, month, day| jiff::civil::date(year, month, day).at(0, 0, 0, 0);
    let next = |expression: &str, from| Plain::read(expression).expect("plain").next(from, false);
    assert_eq!(next("0 0 30 2 *", at(2026, 1, 1)), None);
    assert_eq!(next("0 0 31 4,6,9,11 *", at(2026, 1, 1)), None);
    assert_eq!(next("0 0 29 2 *", at(2096, 2, 29)), Some(at(2104, 2, 29)));
    // 1900 to 2100: the leap day falls on a Sunday every 28 years, with either field every week of February.
    assert_eq!(next("0 0 29 2 0", at(2026, 2, 1)), Some(at(2026, 2, 8)));
}
