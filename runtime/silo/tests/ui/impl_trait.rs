//! A type on the wire has a name.

use std::future::Future;

#[derive(Default)]
struct Account;

#[quark::actor(kind = "account")]
impl Account {
    fn argument(&self, _text: impl Into<String>) {}
    fn result(&self) -> impl Future<Output = u64> {
        std::future::ready(1)
    }
}

fn main() {}
