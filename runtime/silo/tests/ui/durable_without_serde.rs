//! What is stored can be written and read.

#[derive(Default)]
struct Account;

#[quark::actor(kind = "account", durable)]
impl Account {
    fn balance(&self) {}
}

#[derive(Default, quark::Serialize)]
struct Order;

#[quark::actor(kind = "order", durable)]
impl Order {
    fn total(&self) {}
}

fn main() {}
