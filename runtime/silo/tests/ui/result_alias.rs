//! Callers are to see the error type.

use std::{fmt, io};

#[derive(Default)]
struct Account;

#[quark::actor(kind = "account")]
impl Account {
    fn one_type(&self) -> io::Result<u64> {
        Ok(1)
    }
    fn no_type(&self) -> fmt::Result {
        Ok(())
    }
}

fn main() {}
