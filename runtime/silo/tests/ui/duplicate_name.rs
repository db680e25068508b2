//! One wire name, one method.

#[derive(Default)]
struct Account;

#[quark::actor(kind = "account")]
impl Account {
    fn deposit(&mut self, _amount: u64) {}

    #[quark(name = "deposit")]
    fn pay_in(&mut self, _amount: u64) {}
}

fn main() {}
