//! Every silo of a cluster has the same contract.

#[derive(Default)]
struct Account;

#[quark::actor(kind = "account")]
impl Account {
    #[cfg(unix)]
    fn deposit(&mut self) {}

    fn withdraw(&mut self, #[cfg(unix)] _amount: u64) {}

    #[cfg(unix)]
    #[quark(local)]
    fn fine(&self) {}
}

fn main() {}
