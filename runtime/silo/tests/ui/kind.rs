//! A kind is a wire name.

macro_rules! actor {
    ($name:ident, $($options:tt)*) => {
        #[derive(Default)]
        struct $name;

        #[quark::actor($($options)*)]
        impl $name {}
    };
}

#[derive(Default)]
struct Missing;

#[quark::actor]
impl Missing {}

actor!(Empty, kind = "");
actor!(Capital, kind = "Account");
actor!(Space, kind = "my account");
actor!(Long, kind = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
actor!(Number, kind = 7);
actor!(Bare, kind);
actor!(Twice, kind = "one", kind = "two");

fn main() {}
