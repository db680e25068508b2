//! An actor exists before its first commit.

struct Account {
    _balance: u64,
}

#[quark::actor(kind = "account")]
impl Account {
    fn balance(&self) {}
}

fn main() {}
