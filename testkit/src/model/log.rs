//! Logs that are only appended to.

use super::Model;

/// Logs by name, empty in the beginning.
#[derive(Clone, Copy, Default, Debug)]
pub struct Log;

/// What can be asked of a log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LogOp {
    /// Append this entry; answers its place, counted from 0.
    Append(String, u64),
    /// Answers all entries.
    Read(String),
}

/// What a log answers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LogAnswer {
    /// The place of the entry that was appended.
    At(usize),
    /// All entries, in order.
    All(Vec<u64>),
}

impl Model for Log {
    type Key = String;
    type State = Vec<u64>;
    type Op = LogOp;
    type Answer = LogAnswer;

    fn key(&self, op: &LogOp) -> String {
        let (LogOp::Append(name, _) | LogOp::Read(name)) = op;
        name.clone()
    }

    fn initial(&self, _: &String) -> Vec<u64> {
        Vec::new()
    }

    fn apply(&self, log: &Vec<u64>, op: &LogOp) -> (Vec<u64>, LogAnswer) {
        match op {
            LogOp::Append(_, entry) => {
                let after = log.iter().copied().chain([*entry]).collect();
                (after, LogAnswer::At(log.len()))
            }
            LogOp::Read(_) => (log.clone(), LogAnswer::All(log.clone())),
        }
    }

    fn is_read(&self, op: &LogOp) -> bool {
        matches!(op, LogOp::Read(_))
    }
}
