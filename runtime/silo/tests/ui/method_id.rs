//! The reference says who the actor is.

#[derive(Default)]
struct Account;

#[quark::actor(kind = "account")]
impl Account {
    fn id(&self) -> u64 {
        1
    }
}

fn main() {}
