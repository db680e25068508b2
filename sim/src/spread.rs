//! How long things take: distributions of durations, computed in integers so that every machine agrees.

use std::time::Duration;

/// A distribution of durations.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Spread {
    /// Always the same.
    Fixed(Duration),
    /// Between the two, all equally likely.
    Uniform {
        /// The shortest.
        min: Duration,
        /// The longest.
        max: Duration,
    },
    /// `min` plus an exponential tail of mean `mean`, never longer than `max`.
    Exponential {
        /// The shortest.
        min: Duration,
        /// The mean of what comes on top of `min`.
        mean: Duration,
        /// The longest.
        max: Duration,
    },
    /// Mostly `fast`, with a probability of `slow_ppm` in a million `slow`; both plus up to a quarter.
    Bimodal {
        /// The usual duration.
        fast: Duration,
        /// The unusual one.
        slow: Duration,
        /// How often, in parts per million.
        slow_ppm: u32,
    },
    /// Heavy tail with exponent 2: half of all take less than 1.42 `min`, one in 10 000 more than 100 `min`.
    Pareto {
        /// The shortest.
        min: Duration,
        /// The longest.
        max: Duration,
    },
}

impl Spread {
    /// Nothing takes time.
    pub const ZERO: Spread = Spread::Fixed(Duration::ZERO);

    /// Between two numbers of microseconds.
    pub const fn micros(min: u64, max: u64) -> Self {
        Self::Uniform { min: Duration::from_micros(min), max: Duration::from_micros(max) }
    }

    /// The duration in nanoseconds that 64 random bits stand for.
    #[inline]
    pub fn draw_ns(&self, word: u64) -> u64 {
        match *self {
            Spread::Fixed(all) => ns(all),
            Spread::Uniform { min, max } => {
                let width = ns(max).saturating_sub(ns(min));
                ns(min) + scale(width, word)
            }
            Spread::Exponential { min, mean, max } => {
                let tail = (u128::from(ns(mean)) * u128::from(minus_ln(word))) >> 32;
                (ns(min) + tail as u64).min(ns(max))
            }
            Spread::Bimodal { fast, slow, slow_ppm } => {
                let is_slow = scale(1_000_000, word) < u64::from(slow_ppm);
                let base = ns(if is_slow { slow } else { fast });
                base + scale(base / 4, quark_core::hash::mix(word))
            }
            Spread::Pareto { min, max } => {
                let root = word.isqrt().max(1);
                ((u128::from(ns(min)) << 32) / u128::from(root)).min(u128::from(ns(max))) as u64
            }
        }
    }
}

/// A whole number of nanoseconds; beyond 584 years, the longest.
#[inline]
pub(crate) const fn ns(duration: Duration) -> u64 {
    let ns = duration.as_nanos();
    if ns > u64::MAX as u128 { u64::MAX } else { ns as u64 }
}

/// Maps 64 random bits to a number below `width`.
#[inline]
pub(crate) fn scale(width: u64, word: u64) -> u64 {
    ((u128::from(width) * u128::from(word)) >> 64) as u64
}

/// -ln(word / 2^64) as 32.32 fixed point: the leading zeros are the whole binary digits, the rest is interpolated
/// linearly (error below 9 %), because a logarithm in floating point differs between machines.
#[inline]
fn minus_ln(word: u64) -> u64 {
    let word = word.max(1);
    let zeros = word.leading_zeros();
    let mantissa = word << zeros << 1 >> 32;
    let log2 = (u64::from(zeros) << 32) + (1 << 32) - mantissa;
    ((u128::from(log2) * 2_977_044_472) >> 32) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use quark_core::hash::mix;

    fn mean_us(spread: Spread) -> u64 {
        (0..20_000).map(|n| spread.draw_ns(mix(n))).sum::<u64>() / 20_000 / 1000
    }

    #[test]
    fn every_distribution_keeps_its_bounds_and_its_mean() {
        let (min, max) = (Duration::from_micros(200), Duration::from_millis(20));
        let uniform = Spread::Uniform { min, max: Duration::from_micros(400) };
        let exponential = Spread::Exponential { min, mean: Duration::from_micros(300), max };
        let pareto = Spread::Pareto { min, max };
        for word in (0..10_000).map(mix).chain([0, u64::MAX]) {
            assert!((200_000..=400_000).contains(&uniform.draw_ns(word)));
            for spread in [exponential, pareto] {
                assert!((200_000..=20_000_000).contains(&spread.draw_ns(word)), "{spread:?} {word}");
            }
        }
        assert!((295..305).contains(&mean_us(uniform)), "{}", mean_us(uniform));
        assert!((470..540).contains(&mean_us(exponential)), "{}", mean_us(exponential));
        assert!((350..450).contains(&mean_us(pareto)), "{}", mean_us(pareto));
        assert_eq!(Spread::Fixed(min).draw_ns(5), 200_000);
    }
}
