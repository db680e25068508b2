//! Moments as people write them: `31.4s`.

use quark_core::Instant;

/// Nanoseconds in each unit.
const UNITS: [(&str, u64); 6] = [
    // Longer names first: `ms` ends in `s`.
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Reads `31.4s`, `2m`, `500ms`, `1m30s`: simulated time since the start of the story. Exact: no fraction is rounded.
///
/// Errors: a sentence that names what was given.
///
/// ```
/// use quark_core::Instant;
/// use quark_scenarios::travel::parse_moment;
///
/// assert_eq!(parse_moment("31.4s"), Ok(Instant(31_400_000_000)));
/// assert!(parse_moment("31.4").is_err());
/// ```
pub fn parse_moment(text: &str) -> Result<Instant, String> {
    const HOW: &str = "write 31.4s, 500ms, 2m or 1m30s (units: ns, us, ms, s, m, h)";
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(format!("`{text}` is no time: {HOW}"));
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at(number_end);
        let unit_end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        rest = after;
        if number.is_empty() {
            return Err(format!("`{text}` is no time: {HOW}"));
        }
        if unit.is_empty() {
            return Err(format!("`{text}` has no unit: {HOW}"));
        }
        let Some((_, unit_ns)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(format!("`{unit}` in `{text}` is no unit: {HOW}"));
        };
        let ns = scaled(number, *unit_ns).ok_or_else(|| format!("`{text}` is no time: {HOW}"))?;
        total = total.checked_add(ns).ok_or_else(|| format!("`{text}` is longer than 584 years"))?;
    }
    Ok(Instant(total))
}

/// A decimal number of units, in nanoseconds. `None` if it is no number, does not fit, or is finer than a nanosecond.
fn scaled(number: &str, unit_ns: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let whole = whole.parse::<u64>().ok()?.checked_mul(unit_ns)?;
    let digits = u32::try_from(fraction.len()).ok()?;
    let parts = u128::from(fraction.parse::<u64>().ok()?) * u128::from(unit_ns);
    let scale = 10u128.checked_pow(digits)?;
    parts.is_multiple_of(scale).then_some(())?;
    whole.checked_add(u64::try_from(parts / scale).ok()?)
}

/// Writes a moment so that [`parse_moment`] reads the same: `31.4s`.
pub fn show_moment(at: Instant) -> String {
    let (whole, fraction) = (at.0 / 1_000_000_000, at.0 % 1_000_000_000);
    if fraction == 0 {
        return format!("{whole}s");
    }
    let fraction = format!("{fraction:09}");
    format!("{whole}.{}s", fraction.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_to_the_nanosecond() {
        let cases: [(&str, u64); 8] = [
            ("31.4s", 31_400_000_000),
            ("2m", 120_000_000_000),
            ("500ms", 500_000_000),
            ("1m30s", 90_000_000_000),
            ("0.000000001s", 1),
            ("1.5h", 5_400_000_000_000),
            ("0s", 0),
            ("7us", 7_000),
        ];
        for (text, ns) in cases {
            assert_eq!(parse_moment(text), Ok(Instant(ns)), "{text}");
            assert_eq!(parse_moment(&show_moment(Instant(ns))), Ok(Instant(ns)), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_named() {
        for (text, complaint) in [
            ("31.4", "`31.4` has no unit"),
            ("31.4x", "`x` in `31.4x` is no unit"),
            ("s", "`s` is no time"),
            ("", "`` is no time"),
            ("-3s", "`-3s` is no time"),
            ("1.2.3s", "`1.2.3s` is no time"),
            (".5s", "`.5s` is no time"),
            ("0.5ns", "`0.5ns` is no time"),
            ("99999999999999h", "`99999999999999h` is no time"),
        ] {
            let error = parse_moment(text).expect_err(text);
            assert!(error.starts_with(complaint), "{text}: {error}");
        }
    }
}
