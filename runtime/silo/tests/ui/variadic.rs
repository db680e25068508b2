//! A method has a fixed number of arguments.

#[derive(Default)]
struct Account;

#[quark::actor(kind = "account")]
impl Account {
    fn sum(&self, _first: u64, ...) {}
}

fn main() {}
