//! Durations as people write them: a number with its unit.

use std::str::FromStr;
use std::time::Duration;

/// A duration from a configuration file, such as `"30s"`. The unit is part of it: a bare number could be anything.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Period(pub Duration);

/// A text that is no duration.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PeriodError {
    /// No unit, or one that there is not.
    #[error("`{text}` has {found}: write a number with one of the units {UNITS}, such as `30s`")]
    Unit {
        /// What was given.
        text: String,
        /// What stands where the unit should.
        found: String,
    },
    /// No number before the unit.
    #[error("`{text}` has no whole number before its unit: write it like `30s` or `500ms`")]
    Number {
        /// What was given.
        text: String,
    },
    /// More than a century.
    #[error("`{text}` is too long: at most 876000h")]
    TooLong {
        /// What was given.
        text: String,
    },
}

impl FromStr for Period {
    type Err = PeriodError;

    fn from_str(text: &str) -> Result<Self, PeriodError> {
        let text = text.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let unit_ms: u64 = match unit.trim() {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            other => {
                let found = if other.is_empty() { "no unit".into() } else { format!("the unit `{other}`") };
                return Err(PeriodError::Unit { text: text.into(), found });
            }
        };
        if number.is_empty() {
            return Err(PeriodError::Number { text: text.into() });
        }
        let too_long = || PeriodError::TooLong { text: text.into() };
        let number: u64 = number.parse().map_err(|_| too_long())?;
        match number.checked_mul(unit_ms) {
            Some(ms) if ms <= PERIOD_MAX_MS => Ok(Self(Duration::from_millis(ms))),
            _ => Err(too_long()),
        }
    }
}

impl<'de> serde::Deserialize<'de> for Period {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl serde::de::Visitor<'_> for Text {
            type Value = Period;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "a duration in quotes with one of the units {UNITS}, such as \"30s\"")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Period, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Text)
    }
}

const UNITS: &str = "`ms`, `s`, `m`, `h`";
const PERIOD_MAX_MS: u64 = 876_000 * 3_600_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_with_a_unit_is_a_duration() {
        for (text, ms) in
            [("500ms", 500), ("30s", 30_000), ("15m", 900_000), ("2h", 7_200_000), (" 1 s ", 1000)]
        {
            assert_eq!(text.parse(), Ok(Period(Duration::from_millis(ms))), "{text}");
        }
    }

    #[test]
    fn anything_else_is_named_with_what_would_do() {
        for (text, part) in [
            ("30", "no unit"),
            ("30sec", "`sec`"),
            ("30 days", "`days`"),
            ("s", "no whole number"),
            ("", "no unit"),
            ("1.5s", "`.5s`"),
            ("-3s", "`-3s`"),
            ("99999999999999999999s", "too long"),
            ("999999999h", "too long"),
        ] {
            let error = text.parse::<Period>().expect_err(text).to_string();
            assert!(error.contains(part) && error.contains(&format!("`{text}`")), "{text}: {error}");
        }
    }
}
