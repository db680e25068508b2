//! What is wrong with slots is said where it is written.

use quark::{Deserialize, Serialize, Slot};

/// One too many.
#[quark::state]
#[derive(Default, Serialize, Deserialize)]
struct Many {
    s1: Slot<u8>,
    s2: Slot<u8>,
    s3: Slot<u8>,
    s4: Slot<u8>,
    s5: Slot<u8>,
    s6: Slot<u8>,
    s7: Slot<u8>,
    s8: Slot<u8>,
    s9: Slot<u8>,
    s10: Slot<u8>,
    s11: Slot<u8>,
    s12: Slot<u8>,
    s13: Slot<u8>,
    s14: Slot<u8>,
    s15: Slot<u8>,
    s16: Slot<u8>,
    s17: Slot<u8>,
}

#[quark::state]
#[derive(Default, Serialize, Deserialize)]
struct Options {
    #[quark(version = 2)]
    plain: u8,
    #[quark(name = "same")]
    first: Slot<u8>,
    #[quark(name = "same")]
    second: Slot<u8>,
    #[quark(name = "Not a name")]
    third: Slot<u8>,
    größe: Slot<u8>,
    #[quark(version = 3, upgrades(u8))]
    versions: Slot<u64>,
    #[quark(color = "red")]
    unknown: Slot<u8>,
    #[serde(default)]
    told: Slot<u8>,
    #[cfg(test)]
    sometimes: Slot<u8>,
}

#[quark::state]
#[derive(Default)]
struct Nameless(Slot<u8>);

#[quark::state]
#[derive(Serialize, Deserialize)]
enum Either {
    One(u8),
}

#[quark::state(slots)]
#[derive(Default, Serialize, Deserialize)]
struct Generic<T> {
    slot: Slot<T>,
}

fn main() {}
