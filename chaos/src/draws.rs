//! Draws of a plan, keyed by what they are for.

use crate::catalogue::Draw;
use crate::fault::Route;
use crate::field::Places;
use quark_core::hash::{mix, point};
use std::time::Duration;

/// A stream of draws with a name: a new stream moves no other.
pub(crate) struct Draws {
    root: u64,
    count: u64,
}

impl Draws {
    pub(crate) fn new(seed: u64, name: &str) -> Self {
        Self { root: mix(seed ^ point(name.as_bytes())), count: 0 }
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.count += 1;
        let word = mix(self.root ^ mix(self.count));
        ((u128::from(word) * u128::from(limit)) >> 64) as u64
    }

    pub(crate) fn is_one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }

    pub(crate) fn span(&mut self, min: Duration, max: Duration) -> Duration {
        let width = max.saturating_sub(min).as_micros() as u64 + 1;
        min + Duration::from_micros(self.below(width))
    }

    /// A value of a parameter.
    pub(crate) fn value(&mut self, draw: Draw) -> i64 {
        match draw {
            Draw::Even(min, max) => min + self.below((max - min) as u64 + 1) as i64,
            Draw::Magnitude(min, max) => self.magnitude(min as u64, max as u64) as i64,
            Draw::Signed(min, max) => {
                let value = self.magnitude(min as u64, max as u64) as i64;
                if self.is_one_in(2) { value } else { -value }
            }
            Draw::OneOf(values) => values[self.below(values.len() as u64) as usize],
        }
    }

    /// Small mostly, large sometimes: between `min` and `max`, every order of magnitude equally likely.
    fn magnitude(&mut self, min: u64, max: u64) -> u64 {
        let mut steps = 0;
        while min << (steps + 1) <= max {
            steps += 1;
        }
        let base = min << self.below(steps + 1);
        (base + self.below(base)).min(max)
    }

    /// The same things in another order.
    pub(crate) fn shuffled<T: Clone>(&mut self, things: &[T]) -> Vec<T> {
        let mut left = things.to_vec();
        let mut found = Vec::with_capacity(left.len());
        while !left.is_empty() {
            found.push(left.remove(self.below(left.len() as u64) as usize));
        }
        found
    }
}

/// Draws among these nodes.
pub(crate) struct Among<'a> {
    pub(crate) draws: &'a mut Draws,
    pub(crate) nodes: &'a [String],
}

impl Places for Among<'_> {
    fn node(&mut self) -> String {
        self.nodes[self.draws.below(self.nodes.len() as u64) as usize].clone()
    }

    /// One path, all paths from a node, all paths to one, or everything.
    fn route(&mut self) -> Route {
        let (from, to) = (self.node(), self.node());
        match self.draws.below(4) {
            0 => Route { from: vec![from], to: Vec::new() },
            1 => Route { from: Vec::new(), to: vec![to] },
            2 => Route::everywhere(),
            _ if from != to => Route { from: vec![from], to: vec![to] },
            _ => Route { from: vec![from], to: Vec::new() },
        }
    }

    /// Two groups, or three, of random sizes; at least two are not empty if there are two nodes.
    fn groups(&mut self) -> Vec<Vec<String>> {
        let count = 2 + self.draws.below(3) / 2;
        let mut groups = vec![Vec::new(); count as usize];
        for node in self.nodes {
            groups[self.draws.below(count) as usize].push(node.clone());
        }
        let all = self.nodes.len();
        if let Some(full) = groups.iter().position(|group| group.len() == all && all > 1) {
            let moved = groups[full].pop().expect("it holds all nodes");
            groups[(full + 1) % count as usize].push(moved);
        }
        groups.retain(|group| !group.is_empty());
        groups
    }
}
