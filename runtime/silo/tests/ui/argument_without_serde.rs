//! What is sent can be written and read.

struct Money(u64);

#[derive(Default)]
struct Account;

#[quark::actor(kind = "account")]
impl Account {
    fn deposit(&mut self, amount: Money) {
        let _ = amount.0;
    }
}

fn main() {}
