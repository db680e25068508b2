//! Which kind of event follows which, for one thing that it happens to.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What events are strung upon. All events of one chain are said by one process, so their order is known in a real
/// cluster as well, where what two processes say arrives in any order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Chain {
    /// One operation of a client: it is invoked and returns.
    Operation,
    /// One call as one silo sees it: issued, run in a turn, committed, ended.
    Call,
    /// One activation of an actor.
    Activation,
    /// One incarnation of a silo. Repetitions count as one: how often a lease is renewed is no matter of order.
    Silo,
}

const CHAINS: [(Chain, &str); 4] = [
    (Chain::Operation, "operation"),
    (Chain::Call, "call"),
    (Chain::Activation, "activation"),
    (Chain::Silo, "silo"),
];

/// Two kinds of events of which one followed the other at once. As text: `call: turn > asked`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Pair {
    /// Upon what.
    pub chain: Chain,
    /// The earlier kind, or [`Pair::BEGIN`].
    pub from: String,
    /// The later kind, or [`Pair::END`].
    pub to: String,
}

impl Pair {
    /// Stands before the first event of a chain.
    pub const BEGIN: &'static str = "(begin)";
    /// Stands after the last event: nothing more was said, because it is over, or its silo, or the history.
    pub const END: &'static str = "(end)";
}

/// A text that names no pair.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{found}` is no pair of events: expected `<operation|call|activation|silo>: <kind> > <kind>`")]
pub struct NotAPair {
    /// The text.
    pub found: String,
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (_, name) = CHAINS.iter().find(|(chain, _)| chain == self).expect("every chain is in the list");
        f.pad(name)
    }
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}: {} > {}", self.chain, self.from, self.to))
    }
}

impl FromStr for Pair {
    type Err = NotAPair;

    fn from_str(text: &str) -> Result<Self, NotAPair> {
        let parts = || {
            let (chain, kinds) = text.split_once(": ")?;
            let (from, to) = kinds.split_once(" > ")?;
            let (chain, _) = CHAINS.iter().find(|(_, name)| *name == chain)?;
            Some(Self { chain: *chain, from: from.to_owned(), to: to.to_owned() })
        };
        parts().ok_or_else(|| NotAPair { found: text.to_owned() })
    }
}

impl From<Pair> for String {
    fn from(pair: Pair) -> Self {
        pair.to_string()
    }
}

impl TryFrom<String> for Pair {
    type Error = NotAPair;

    fn try_from(text: String) -> Result<Self, NotAPair> {
        text.parse()
    }
}
