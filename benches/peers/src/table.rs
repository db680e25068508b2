//! What came out, for people and for programs.

use crate::rows::Figure;
use serde_json::{Value, json};

/// The samples of one figure, by peer; ours first.
pub struct Line {
    pub row: &'static str,
    pub figure: Figure,
    pub samples: Vec<(&'static str, Vec<f64>)>,
}

/// The middle, the least and the most.
struct Spread {
    median: f64,
    least: f64,
    most: f64,
}

impl Spread {
    fn of(samples: &[f64]) -> Self {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        Self { median: sorted[sorted.len() / 2], least: sorted[0], most: sorted[sorted.len() - 1] }
    }
}

impl Line {
    /// How many times better the first one's median is than this one's; `None` if the first one is not there.
    fn times(&self, median: f64) -> Option<f64> {
        let ours = self.samples.iter().find(|(name, _)| *name == OURS)?;
        let ours = Spread::of(&ours.1).median;
        Some(if self.figure.is_rate { ours / median } else { median / ours })
    }

    pub fn print(&self) {
        println!("\n{} [{}]", self.figure.name, self.figure.unit);
        for (name, samples) in &self.samples {
            let Spread { median, least, most } = Spread::of(samples);
            let times = self.times(median).map_or(String::new(), |times| format!("{times:>8.2}"));
            println!("  {name:<16}{:>14}  ({}..{}){times}", grouped(median), grouped(least), grouped(most),);
        }
    }

    pub fn json(&self) -> Vec<Value> {
        let one = |(name, samples): &(&'static str, Vec<f64>)| {
            let Spread { median, least, most } = Spread::of(samples);
            json!({
                "row": self.row, "figure": self.figure.name, "unit": self.figure.unit, "peer": name,
                "median": median, "least": least, "most": most, "samples": samples,
                "quark_is_better_by": self.times(median),
            })
        };
        self.samples.iter().map(one).collect()
    }
}

const OURS: &str = "quark";

/// A whole number, its digits in threes.
fn grouped(figure: f64) -> String {
    let digits = format!("{figure:.0}");
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}
