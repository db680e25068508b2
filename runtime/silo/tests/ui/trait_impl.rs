//! Only inherent methods can be exposed.

#[derive(Default)]
struct Account;

trait Deposit {
    fn deposit(&mut self, amount: u64);
}

#[quark::actor(kind = "account")]
impl Deposit for Account {
    fn deposit(&mut self, _amount: u64) {}
}

fn main() {}
