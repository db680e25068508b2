//! A slot that would not be stored, or could not be, does not compile.

use quark::{Deserialize, Serialize, Slot};

/// Without the attribute.
#[derive(Serialize)]
struct Bare {
    history: Slot<Vec<u8>>,
}

/// The attribute is too late.
#[derive(Serialize)]
#[quark::state]
struct Late {
    history: Slot<Vec<u8>>,
}

type Alias = Slot<Vec<u8>>;

/// It cannot see through a name, or into another type.
#[quark::state]
#[derive(Serialize)]
struct Hidden {
    alias: Alias,
    nested: Vec<Slot<u8>>,
}

#[derive(Default)]
struct Plain;

/// What is in a slot is stored.
#[quark::state]
#[derive(Default, Serialize, Deserialize)]
struct Unstored {
    plain: Slot<Plain>,
}

struct Old;

/// A step is missing.
#[quark::state]
#[derive(Default, Serialize, Deserialize)]
struct Upgraded {
    #[quark(version = 2, upgrades(u32))]
    count: Slot<u8>,
    #[quark(version = 2, upgrades(Old))]
    text: Slot<String>,
}

fn main() {}
