//! An unknown option names those there are.

#[derive(Default)]
struct Account;

#[quark::actor(kind = "account", persistent)]
impl Account {}

#[derive(Default)]
struct Order;

#[quark::actor(kind = "order", durable = true, placement = "random", placement = nearest)]
impl Order {}

#[derive(Default)]
struct Cart;

#[quark::actor(kind = "cart" durable)]
impl Cart {}

fn main() {}
