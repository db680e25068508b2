//! A turn may move between threads.

use std::rc::Rc;

#[derive(Default)]
struct Account;

#[quark::actor(kind = "account")]
impl Account {
    async fn deposit(&mut self) {
        let kept = Rc::new(1);
        std::future::ready(()).await;
        drop(kept);
    }
}

#[derive(Default)]
struct Order {
    _lines: Rc<u64>,
}

#[quark::actor(kind = "order")]
impl Order {
    fn total(&self) {}
}

fn main() {}
