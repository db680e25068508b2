//! Two shapes side by side, in 80 columns.

use super::{Shape, Side, Spread, differences};
use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

/// The shape of simulated tellings beside that of real ones. A line begins with what there is to say of it:
///
/// | mark | meaning |
/// | --- | --- |
/// | `!` | only real processes have it |
/// | `-` | only the simulator has it |
/// | `*` | one of them has [`FAR`] times as much |
#[derive(Clone, Copy, Debug)]
pub struct Table<'a> {
    /// The left side.
    pub sim: &'a Shape,
    /// The right side.
    pub real: &'a Shape,
}

/// What is so many times as much is marked: two machines differ by less.
pub const FAR: f64 = 4.0;

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.events(f)?;
        self.latencies(f)?;
        self.nests(f)?;
        self.outcomes(f)?;
        self.pairs(f)
    }
}

impl Table<'_> {
    fn events(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sim, real) = (format!("sim x {}", self.sim.tellings), format!("real x {}", self.real.tellings));
        writeln!(f, "  {:<48}{:>9} {:>5}{:>9} {:>5}", "events", sim, "/s", real, "/s")?;
        let (totals, rates) =
            ((self.sim.totals(), self.real.totals()), (self.sim.rates(), self.real.rates()));
        let kinds: BTreeSet<&String> = totals.0.keys().chain(totals.1.keys()).collect();
        for kind in kinds {
            let count = (totals.0.get(kind).copied().unwrap_or(0), totals.1.get(kind).copied().unwrap_or(0));
            let rate = (rates.0.get(kind).copied().unwrap_or(0.0), rates.1.get(kind).copied().unwrap_or(0.0));
            let mark = mark(rate.0, rate.1);
            let (one, other) = (per_second(rate.0), per_second(rate.1));
            writeln!(f, "{mark} {kind:<48.48}{:>9} {one:>5}{:>9} {other:>5}", count.0, count.1)?;
        }
        let wide = |name: &str, sim: u64, real: u64| format!("  {name:<48}{sim:>15}{real:>15}\n");
        f.write_str(&wide(
            "operations under way at once",
            self.sim.operations_wide,
            self.real.operations_wide,
        ))?;
        f.write_str(&wide("turns under way on one silo", self.sim.turns_wide, self.real.turns_wide))
    }

    fn latencies(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n  {:<28}{:>25}{:>25}", "p50 / p90 / p99", "sim", "real")?;
        let all: BTreeSet<&String> = self.sim.latencies.keys().chain(self.real.latencies.keys()).collect();
        for what in all {
            let (sim, real) = (self.sim.latencies.get(what), self.real.latencies.get(what));
            let median = |spread: Option<&Spread>| {
                spread.and_then(|s| s.quantile(50)).map_or(0.0, |d| d.as_secs_f64())
            };
            let mark = match (sim, real) {
                (Some(_), Some(_)) => far(median(sim), median(real)),
                (sim, _) => {
                    if sim.is_some() {
                        '-'
                    } else {
                        '!'
                    }
                }
            };
            writeln!(f, "{mark} {what:<28}{:>25}{:>25}", quantiles(sim), quantiles(real))?;
        }
        Ok(())
    }

    fn nests(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n  {:<48}{:>15}{:>15}", "what begins within what", "sim", "real")?;
        let all: BTreeSet<&String> = self.sim.nests.keys().chain(self.real.nests.keys()).collect();
        for what in all {
            let of = |shape: &Shape| shape.nests.get(what).copied().unwrap_or(0);
            let (sim, real) = (of(self.sim), of(self.real));
            let mark = if sim > 0 && real > 0 { ' ' } else { mark(sim as f64, real as f64) };
            writeln!(f, "{mark} {what:<48}{sim:>15}{real:>15}")?;
        }
        Ok(())
    }

    fn outcomes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n  {:<48}{:>15}{:>15}", "operations end so often", "sim", "real")?;
        let (sim, real) = (self.sim.outcomes(), self.real.outcomes());
        let all: BTreeSet<&&str> = sim.keys().chain(real.keys()).collect();
        for outcome in all {
            let share = |of: Option<&f64>| format!("{:.2} %", of.copied().unwrap_or(0.0) * 100.0);
            writeln!(f, "  {outcome:<48}{:>15}{:>15}", share(sim.get(outcome)), share(real.get(outcome)))?;
        }
        Ok(())
    }

    /// What only one of them has, and how much both have.
    fn pairs(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let differences = differences(self.sim, self.real);
        let both = self.real.pairs.keys().filter(|pair| self.sim.pairs.contains_key(*pair)).count();
        let real = differences.iter().filter(|d| d.side == Side::Real).count();
        let sim = differences.len() - real;
        writeln!(f, "\n  what follows what: {both} pairs in both, {real} only real, {sim} only simulated")?;
        for difference in differences {
            let mark = if difference.side == Side::Real { '!' } else { '-' };
            writeln!(f, "{mark} {:<70.70}{:>8}", difference.pair, difference.count)?;
        }
        Ok(())
    }
}

fn mark(sim: f64, real: f64) -> char {
    match (sim > 0.0, real > 0.0) {
        (true, false) => '-',
        (false, true) => '!',
        _ => far(sim, real),
    }
}

fn far(sim: f64, real: f64) -> char {
    if sim > real * FAR || real > sim * FAR { '*' } else { ' ' }
}

/// In at most five characters.
fn per_second(rate: f64) -> String {
    if rate > 0.0 && rate < 0.01 {
        "<.01".into()
    } else if rate < 100.0 {
        format!("{rate:.2}")
    } else {
        format!("{rate:.0}")
    }
}

fn quantiles(spread: Option<&Spread>) -> String {
    let Some(spread) = spread else { return "never".into() };
    let of = |percent| spread.quantile(percent).map_or_else(|| "none".into(), brief);
    format!("{} / {} / {}", of(50), of(90), of(99))
}

/// In at most six characters, below a thousand hours.
fn brief(time: Duration) -> String {
    let us = time.as_micros() as f64;
    match us {
        0.0..1e3 => format!("{us:.0} us"),
        1e3..1e4 => format!("{:.1}ms", us / 1e3),
        1e4..1e6 => format!("{:.0} ms", us / 1e3),
        1e6..1e7 => format!("{:.2}s", us / 1e6),
        _ => format!("{:.0} s", us / 1e6),
    }
}
