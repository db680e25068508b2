//! Registers: values that are read, written, and compared before they are written.

use super::Model;

/// Registers by name, empty in the beginning. Every operation answers what was there before it.
#[derive(Clone, Copy, Default, Debug)]
pub struct Register;

/// What can be asked of a register.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RegisterOp {
    /// What is there.
    Read(String),
    /// Put this there.
    Write(String, u64),
    /// Put the second there if the first is.
    Swap(String, Option<u64>, u64),
}

impl Model for Register {
    type Key = String;
    type State = Option<u64>;
    type Op = RegisterOp;
    type Answer = Option<u64>;

    fn key(&self, op: &RegisterOp) -> String {
        let (RegisterOp::Read(name) | RegisterOp::Write(name, _) | RegisterOp::Swap(name, ..)) = op;
        name.clone()
    }

    fn initial(&self, _: &String) -> Option<u64> {
        None
    }

    fn apply(&self, value: &Option<u64>, op: &RegisterOp) -> (Option<u64>, Option<u64>) {
        let after = match op {
            RegisterOp::Write(_, new) => Some(*new),
            RegisterOp::Swap(_, expected, new) if value == expected => Some(*new),
            RegisterOp::Read(_) | RegisterOp::Swap(..) => *value,
        };
        (after, *value)
    }

    fn is_read(&self, op: &RegisterOp) -> bool {
        matches!(op, RegisterOp::Read(_))
    }
}
