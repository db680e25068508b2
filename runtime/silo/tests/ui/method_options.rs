//! `#[quark(..)]` has few forms.

#[derive(Default)]
struct Account;

#[quark::actor(kind = "account")]
impl Account {
    #[quark(wire = "limit")]
    const LIMIT: u64 = 7;

    #[quark(readonly)]
    fn unknown(&self) {}

    #[quark]
    fn empty(&self) {}

    #[quark()]
    fn empty_too(&self) {}

    #[quark(name = "take out")]
    fn no_identifier(&self) {}

    #[quark(name)]
    fn no_name(&self) {}

    #[quark(local = true)]
    fn local_with_a_value(&self) {}

    #[quark(local, name = "l")]
    fn two_roles(&self) {}

    #[quark(name = "create")]
    fn without_self() {}

    #[quark(name "x")]
    fn broken(&self) {}
}

fn main() {}
