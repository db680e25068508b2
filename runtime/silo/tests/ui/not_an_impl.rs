//! The attribute goes where the methods are.

#[quark::actor(kind = "account")]
#[derive(Default)]
struct Account;

#[quark::actor(kind = "account")]
fn deposit() {}

fn main() {}
