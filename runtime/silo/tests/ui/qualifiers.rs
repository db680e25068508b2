//! A call from afar is a plain call.

#[derive(Default)]
struct Account;

#[quark::actor(kind = "account")]
impl Account {
    unsafe fn without_safety(&self) {}
    extern "C" fn of_another_abi(&self) {}
    const fn at_compile_time(&self) {}

    #[quark(local)]
    const unsafe fn fine(&self) {}
}

fn main() {}
