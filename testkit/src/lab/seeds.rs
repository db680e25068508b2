//! Which seeds: a range, and one machine's share of it.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

/// Reads `A..B`, or a single seed.
///
/// Errors: a sentence that names what was given.
///
/// ```
/// use quark_testkit::lab::parse_seeds;
///
/// assert_eq!(parse_seeds("10..20"), Ok(10..20));
/// assert_eq!(parse_seeds("7"), Ok(7..8));
/// assert!(parse_seeds("20..10").is_err());
/// ```
pub fn parse_seeds(text: &str) -> Result<Range<u64>, String> {
    let bad = || format!("`{text}` is no range of seeds: write A..B, as in 0..1000, or a single number");
    let number = |text: &str| text.parse::<u64>().map_err(|_| bad());
    match text.split_once("..") {
        Some((from, to)) => {
            let range = number(from)?..number(to)?;
            if range.is_empty() { Err(format!("the range of seeds `{text}` is empty")) } else { Ok(range) }
        }
        None => {
            let seed = number(text)?;
            let end = seed.checked_add(1).ok_or_else(|| format!("the seed {text} is the largest number"))?;
            Ok(seed..end)
        }
    }
}

/// One machine's share of what several machines tell together: `2/5` is the second of five.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shard {
    /// Counted from 0.
    index: u64,
    /// Of so many.
    count: u64,
}

impl Shard {
    /// All of it.
    pub const WHOLE: Self = Self { index: 0, count: 1 };

    /// Whether what has this number is told here. Each number is in exactly one of the shards `1/N` to `N/N`.
    ///
    /// ```
    /// use quark_testkit::lab::Shard;
    ///
    /// let shards: Vec<Shard> = ["1/3", "2/3", "3/3"].iter().map(|text| text.parse().expect("well-formed")).collect();
    /// assert!((0..100).all(|number| shards.iter().filter(|shard| shard.tells(number)).count() == 1));
    /// ```
    pub fn tells(self, number: u64) -> bool {
        number % self.count == self.index
    }

    /// The least that this shard tells of so many: what can be expected of any of them.
    pub fn least_of(self, total: u64) -> u64 {
        total / self.count
    }
}

impl Default for Shard {
    fn default() -> Self {
        Self::WHOLE
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index + 1, self.count)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("`{text}` is no shard: write I/N with I from 1 to N, as in 2/5");
        let (index, count) = text.split_once('/').ok_or_else(bad)?;
        let (index, count): (u64, u64) =
            (index.parse().map_err(|_| bad())?, count.parse().map_err(|_| bad())?);
        if (1..=count).contains(&index) { Ok(Self { index: index - 1, count }) } else { Err(bad()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_shard_is_refused_by_name() {
        for text in ["", "1", "0/3", "4/3", "1/0", "a/b", "-1/3", "1/3/5"] {
            let error = text.parse::<Shard>().expect_err(text);
            assert!(error.contains(&format!("`{text}`")) && error.contains("2/5"), "{error}");
        }
    }

    #[test]
    fn a_shard_is_written_as_it_is_read() {
        for text in ["1/1", "2/5", "5/5"] {
            assert_eq!(text.parse::<Shard>().map(|shard| shard.to_string()), Ok(text.to_owned()));
        }
        assert_eq!("1/1".parse(), Ok(Shard::WHOLE));
    }

    #[test]
    fn what_is_no_range_is_refused_by_name() {
        for text in ["", "x", "1..", "..5", "5..5", "9..3", "18446744073709551615"] {
            let error = parse_seeds(text).expect_err(text);
            assert!(error.contains(text), "{error}");
        }
    }
}
