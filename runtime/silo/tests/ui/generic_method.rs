//! One wire name is one method.

#[derive(Default)]
struct Account;

#[quark::actor(kind = "account")]
impl Account {
    fn generic<T: Send>(&self, _value: T) {}
    fn constant<const N: usize>(&self, _value: [u8; N]) {}
    fn lifetime<'a>(&'a self) {}
    fn clause(&self)
    where
        u8: Send,
    {
    }
}

fn main() {}
