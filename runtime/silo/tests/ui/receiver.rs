//! An actor is lent, never given.

use std::sync::Arc;

#[derive(Default)]
struct Account;

#[quark::actor(kind = "account")]
impl Account {
    fn by_value(self) {}
    fn by_mutable_value(mut self) {
        self = Account;
        drop(self);
    }
    fn boxed(self: Box<Self>) {}
    fn shared(self: Arc<Self>) {}
    fn kept(&'static self) {}

    fn fine(self: &mut Self) {}
    fn fine_too(self: &Self) {}
}

fn main() {}
