//! Hooks have one shape.

use quark::ActorContext;

#[derive(Default)]
struct Account;

#[quark::actor(kind = "account")]
impl Account {
    #[quark(on_activate)]
    fn first(&mut self) {}

    #[quark(on_activate)]
    async fn second(&mut self, _ctx: &ActorContext, _more: u64) -> u64 {
        1
    }

    #[quark(on_deactivate)]
    fn last(&mut self, _reason: String) -> Result<(), String> {
        Ok(())
    }
}

#[derive(Default)]
struct Order;

#[quark::actor(kind = "order")]
impl Order {
    #[quark(on_activate)]
    fn without_an_actor() {}

    #[quark(on_deactivate)]
    fn taken(self) {}
}

fn main() {}
