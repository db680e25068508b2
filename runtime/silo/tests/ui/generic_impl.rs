//! One kind is one type on the wire.

use std::marker::PhantomData;

#[derive(Default)]
struct Cell<T>(PhantomData<T>);

#[quark::actor(kind = "cell")]
impl<T: Send> Cell<T> {
    fn get(&self) {}
}

#[quark::actor(kind = "number-cell")]
impl Cell<u64> {
    fn read(&self) {}
}

#[quark::actor(kind = "slice")]
impl [u8] {
    fn read(&self) {}
}

#[derive(Default)]
struct Plain;

#[quark::actor(kind = "plain")]
impl Plain
where
    u8: Send,
{
    fn get(&self) {}
}

fn main() {}
