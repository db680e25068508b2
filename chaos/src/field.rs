//! The particulars of a fault, seen alike: some are numbers, some name nodes, and most have smaller ones.

use crate::fault::{Route, Shape};
use std::time::Duration;

/// One particular of a fault.
pub(crate) trait Field: Sized {
    /// Its value, if it is a number; spans are in microseconds.
    fn number(&self) -> Option<i64> {
        None
    }

    /// Gives it another value, if it is a number.
    fn set_number(&mut self, _value: i64) {}

    /// The nodes that it names.
    fn names(&self) -> Vec<&str> {
        Vec::new()
    }

    /// Names nodes, if it does such a thing.
    fn place(&mut self, _where: &mut dyn Places) {}

    /// What is smaller without being a number: fewer nodes, less harm. The smallest first.
    fn smaller(&self, _nodes: &[&str]) -> Vec<Self> {
        Vec::new()
    }
}

/// Where nodes to be hit come from.
pub(crate) trait Places {
    fn node(&mut self) -> String;
    fn route(&mut self) -> Route;
    fn groups(&mut self) -> Vec<Vec<String>>;
}

impl Field for u32 {
    fn number(&self) -> Option<i64> {
        Some(i64::from(*self))
    }

    fn set_number(&mut self, value: i64) {
        *self = u32::try_from(value.max(0)).unwrap_or(u32::MAX);
    }
}

impl Field for i64 {
    fn number(&self) -> Option<i64> {
        Some(*self)
    }

    fn set_number(&mut self, value: i64) {
        *self = value;
    }
}

impl Field for Duration {
    fn number(&self) -> Option<i64> {
        Some(i64::try_from(self.as_micros()).unwrap_or(i64::MAX))
    }

    fn set_number(&mut self, value: i64) {
        *self = Duration::from_micros(value.max(0) as u64);
    }
}

/// Which of the two does less is said in the catalogue, as with all numbers.
impl Field for bool {
    fn number(&self) -> Option<i64> {
        Some(i64::from(*self))
    }

    fn set_number(&mut self, value: i64) {
        *self = value != 0;
    }
}

impl Field for Shape {
    fn number(&self) -> Option<i64> {
        Shape::ALL.iter().position(|shape| shape == self).map(|at| at as i64)
    }

    fn set_number(&mut self, value: i64) {
        *self = usize::try_from(value).ok().and_then(|at| Shape::ALL.get(at)).copied().unwrap_or_default();
    }
}

impl Field for String {
    fn names(&self) -> Vec<&str> {
        vec![self]
    }

    fn place(&mut self, places: &mut dyn Places) {
        *self = places.node();
    }
}

impl Field for Route {
    fn names(&self) -> Vec<&str> {
        self.from.iter().chain(&self.to).map(String::as_str).collect()
    }

    fn place(&mut self, places: &mut dyn Places) {
        *self = places.route();
    }

    /// One path, then one end.
    fn smaller(&self, nodes: &[&str]) -> Vec<Self> {
        let all = |list: &[String]| match list {
            [] => nodes.iter().map(|name| (*name).to_owned()).collect(),
            some => some.to_vec(),
        };
        let (from, to) = (all(&self.from), all(&self.to));
        let mut found = Vec::new();
        if self.from.len() != 1 {
            found.extend(from.iter().map(|name| Route { from: vec![name.clone()], to: self.to.clone() }));
        }
        if self.to.len() != 1 {
            found.extend(to.iter().map(|name| Route { from: self.from.clone(), to: vec![name.clone()] }));
        }
        found
    }
}

impl Field for Vec<Vec<String>> {
    fn names(&self) -> Vec<&str> {
        self.iter().flatten().map(String::as_str).collect()
    }

    fn place(&mut self, places: &mut dyn Places) {
        *self = places.groups();
    }

    /// Two groups instead of more, then one node less: who is in no group keeps its paths.
    fn smaller(&self, _nodes: &[&str]) -> Vec<Self> {
        let mut found = Vec::new();
        if self.len() > 2 {
            found.extend((0..self.len()).map(|without| {
                let mut fewer = self.clone();
                fewer.remove(without);
                fewer
            }));
        }
        for (group, members) in self.iter().enumerate().filter(|(_, members)| members.len() > 1) {
            found.extend((0..members.len()).map(|member| {
                let mut fewer = self.clone();
                fewer[group].remove(member);
                fewer
            }));
        }
        found
    }
}
