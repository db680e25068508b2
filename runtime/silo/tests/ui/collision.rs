//! Two names that hash to one wire number, found by trying some 100 000 names.

#[derive(Default)]
struct Account;

#[quark::actor(kind = "account")]
impl Account {
    fn set_cart_stage(&mut self) {}
    fn scan_client_stock(&self) {}
}

fn main() {}
