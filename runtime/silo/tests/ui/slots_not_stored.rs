//! A kind that stores nothing has no slots.

use quark::{Deserialize, Serialize, Slot};

#[quark::state]
#[derive(Default, Serialize, Deserialize)]
struct Cache {
    entries: Slot<Vec<u8>>,
}

#[quark::actor(kind = "cache")]
impl Cache {}

fn main() {}
