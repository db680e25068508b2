//! An argument's name is its name in JSON.

#[derive(Default)]
struct Account;

#[quark::actor(kind = "account")]
impl Account {
    fn pair(&self, (_a, _b): (u64, u64)) {}
    fn unnamed(&self, _: u64) {}
    fn by_reference(&self, ref _text: String) {}
    fn fine(&self, mut number: u64) {
        number += 1;
        let _ = number;
    }
}

fn main() {}
