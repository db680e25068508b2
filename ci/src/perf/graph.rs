//! Who calls whom, and what it takes: a profile of callgrind's as a graph.
//!
//! Source: <https://valgrind.org/docs/manual/cl-format.html>.

use super::number;
use anyhow::{Context, Result};
use std::collections::BTreeMap;

/// Functions by name, with the instructions of their own and of those that they call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Graph {
    own: BTreeMap<String, u64>,
    /// Caller, then callee: what the callee took for it, with all that it called.
    calls: BTreeMap<String, BTreeMap<String, u64>>,
}

impl Graph {
    /// Reads a profile.
    ///
    /// Errors: a line that should be a cost is none, or stands before any function.
    pub fn read(profile: &str) -> Result<Self> {
        let mut reader = Reader { columns: 1, ..Reader::default() };
        for (at, line) in profile.lines().enumerate() {
            reader.line(line).with_context(|| format!("line {}, `{line}`", at + 1))?;
        }
        Ok(reader.graph)
    }

    /// This graph without what is in another: a run of more operations less one of fewer.
    pub fn without(mut self, other: &Self) -> Self {
        for (name, cost) in &mut self.own {
            *cost = cost.saturating_sub(other.own.get(name).copied().unwrap_or(0));
        }
        for (caller, callees) in &mut self.calls {
            for (callee, cost) in callees {
                let before = other.calls.get(caller).and_then(|callees| callees.get(callee));
                *cost = cost.saturating_sub(before.copied().unwrap_or(0));
            }
        }
        self
    }

    /// What a function takes with all that it calls.
    pub fn whole(&self, name: &str) -> u64 {
        self.own.get(name).copied().unwrap_or(0) + self.callees(name).map(|(_, cost)| cost).sum::<u64>()
    }

    /// Whom a function calls, and what that takes; the dearest first.
    pub fn callees(&self, name: &str) -> impl Iterator<Item = (&str, u64)> {
        let mut callees: Vec<(&str, u64)> = self
            .calls
            .get(name)
            .into_iter()
            .flatten()
            .map(|(callee, cost)| (callee.as_str(), *cost))
            .filter(|(_, cost)| *cost > 0)
            .collect();
        callees.sort_by_key(|(_, cost)| std::cmp::Reverse(*cost));
        callees.into_iter()
    }

    /// Where the program begins: `main`, or else the function that nobody calls and that takes the most.
    pub fn root(&self) -> Option<&str> {
        // What stands before it are two functions of one name, hence a circle.
        if let Some((main, _)) = self.calls.get_key_value("main") {
            return Some(main);
        }
        let called: Vec<&String> = self.calls.values().flat_map(BTreeMap::keys).collect();
        let is_called: std::collections::BTreeSet<&String> = called.into_iter().collect();
        let roots = self.calls.keys().filter(|name| !is_called.contains(name));
        roots.max_by_key(|name| self.whole(name)).map(String::as_str)
    }
}

#[derive(Default)]
struct Reader {
    graph: Graph,
    names: BTreeMap<String, String>,
    /// How many positions stand before the costs of a line.
    columns: usize,
    function: Option<String>,
    callee: Option<String>,
    /// The next cost is that of a call.
    is_call: bool,
}

impl Reader {
    fn line(&mut self, line: &str) -> Result<()> {
        if let Some(positions) = line.strip_prefix("positions:") {
            self.columns = positions.split_whitespace().count();
        } else if let Some(name) = line.strip_prefix("fn=") {
            self.function = Some(self.name(name)?);
        } else if let Some(name) = line.strip_prefix("cfn=") {
            self.callee = Some(self.name(name)?);
        } else if line.starts_with("calls=") {
            self.is_call = true;
        } else if line.starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first)) {
            self.cost(line)?;
        }
        Ok(())
    }

    /// A name stands in full the first time, with a number that stands for it from then on.
    fn name(&mut self, text: &str) -> Result<String> {
        let Some((id, name)) = text.strip_prefix('(').and_then(|text| text.split_once(')')) else {
            return Ok(text.to_owned());
        };
        let name = name.trim();
        if !name.is_empty() {
            self.names.insert(id.to_owned(), name.to_owned());
        }
        self.names.get(id).cloned().with_context(|| format!("function {id} has no name"))
    }

    fn cost(&mut self, line: &str) -> Result<()> {
        let cost = match line.split_whitespace().nth(self.columns) {
            Some(cost) => number(cost, "number of instructions")?,
            None => 0,
        };
        let function = self.function.clone().context("a cost of no function")?;
        if !std::mem::take(&mut self.is_call) {
            *self.graph.own.entry(function).or_default() += cost;
            return Ok(());
        }
        let callee = self.callee.take().context("a call of no function")?;
        // What a function takes for itself is in what it takes for others.
        if callee != function {
            *self.graph.calls.entry(function).or_default().entry(callee).or_default() += cost;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROFILE: &str = "\
version: 1
positions: line
events: Ir
fl=(1) main.rs
fn=(1) main
16 4
+1 6
cfn=(2) work
calls=2 30
* 90
fn=(2)
30 50
cfi=(2) other.rs
cfn=(3) deeper
calls=2 7
+2 40
fn=(3)
7 40
totals: 100
";

    #[test]
    fn a_profile_becomes_a_graph() {
        let graph = Graph::read(PROFILE).expect("well formed");
        assert_eq!(graph.root(), Some("main"));
        assert_eq!((graph.whole("main"), graph.whole("work"), graph.whole("deeper")), (100, 90, 40));
        assert_eq!(graph.callees("main").collect::<Vec<_>>(), [("work", 90)]);
        assert_eq!(graph.callees("deeper").count(), 0);
    }

    #[test]
    fn a_program_begins_at_main_or_where_nobody_calls() {
        let circle = "fn=(1) (below main)\n1 0\ncfn=(2) main\ncalls=1 1\n1 9\nfn=(2)\n1 5\ncfn=(3) f\ncalls=1 1\n1 4\n";
        assert_eq!(Graph::read(circle).expect("well formed").root(), Some("main"));
        let other = circle.replace("main", "start");
        assert_eq!(Graph::read(&other).expect("well formed").root(), Some("(below start)"));
    }

    #[test]
    fn a_call_of_itself_counts_once() {
        let profile = "fn=(1) f\n1 10\ncfn=(1)\ncalls=1 1\n1 5\ncfn=(2) g\ncalls=1 1\n1 90\n";
        let graph = Graph::read(profile).expect("well formed");
        assert_eq!((graph.whole("f"), graph.callees("f").count()), (100, 1));
    }

    #[test]
    fn what_both_have_falls_out() {
        let graph = Graph::read(PROFILE).expect("well formed");
        let longer =
            Graph::read(&PROFILE.replace("* 90", "* 190").replace("30 50", "30 150")).expect("well formed");
        let between = longer.without(&graph);
        assert_eq!((between.whole("main"), between.whole("work"), between.whole("deeper")), (100, 100, 0));
        assert_eq!(between.callees("work").count(), 0);
    }

    #[test]
    fn a_broken_profile_is_refused() {
        assert!(Graph::read("16 4\n").is_err(), "no function");
        assert!(Graph::read("fn=(1)\n").is_err(), "no name");
        assert!(Graph::read("fn=(1) a\ncalls=1 2\n3 4\n").is_err(), "no callee");
        assert!(Graph::read("fn=(1) a\n3 many\n").is_err(), "no number");
    }
}
