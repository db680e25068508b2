//! The context is lent, and comes first.

use quark::ActorContext;

#[derive(Default)]
struct Account;

#[quark::actor(kind = "account")]
impl Account {
    fn last(&self, _amount: u64, _ctx: &ActorContext) {}
    fn twice(&self, _ctx: &ActorContext, _again: &ActorContext) {}
    fn given(&self, _ctx: ActorContext) {}
    fn mutable(&self, _ctx: &mut ActorContext) {}
}

fn main() {}
