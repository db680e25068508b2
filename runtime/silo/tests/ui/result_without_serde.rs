//! What is returned can be written and read, the error too.

struct Money(u64);

struct Refused;

#[derive(Default)]
struct Account;

#[quark::actor(kind = "account")]
impl Account {
    fn balance(&self) -> Money {
        Money(0)
    }
    async fn withdraw(&mut self) -> Result<u64, Refused> {
        Err(Refused)
    }
}

fn main() {}
