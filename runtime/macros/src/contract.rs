//! Wire numbers and the contract's digest.
//!
//! The hash is a copy of `quark::actor::digest`: the macro must know the numbers to refuse two methods that share
//! one, and cannot depend on the crate that depends on it. The table in the written code calls the runtime's
//! function, and a `const` assertion there compares the two.

use crate::method::Method;
use crate::problems::Problems;

/// FNV-1a, 64 bits.
pub fn digest(text: &str) -> u64 {
    text.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}

/// The wire number of a method name.
pub fn method_id(name: &str) -> u32 {
    let hash = digest(name);
    (hash ^ (hash >> 32)) as u32
}

/// The digest of a kind and its methods, whose order in the source does not matter.
pub fn contract_digest(kind: &str, methods: &[Method]) -> u64 {
    let mut lines: Vec<String> = methods.iter().map(Method::contract_line).collect();
    lines.sort();
    digest(&format!("quark contract 1\n{kind}\n{}\n", lines.join("\n")))
}

/// Notes two methods with one wire name, or with one wire number.
pub fn check_distinct(methods: &[Method], problems: &mut Problems) {
    for (at, later) in methods.iter().enumerate() {
        let Some(earlier) = methods[..at].iter().find(|m| m.id == later.id) else { continue };
        let says = if earlier.name == later.name {
            format!(
                "`{}` and `{}` have one wire name, `{}`\nhelp: give one of them another with `#[quark(name = \"..\")]`",
                earlier.ident, later.ident, later.name
            )
        } else {
            format!(
                "`{}` and `{}` hash to one wire number, {:#010x}\nhelp: rename one of them, or give it another wire \
                 name with `#[quark(name = \"..\")]`",
                earlier.name, later.name, later.id
            )
        };
        problems.push(syn::Error::new(later.name_span, says));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_fnv_1a() {
        // Vectors of the reference implementation, draft-eastlake-fnv.
        assert_eq!(digest(""), 0xCBF2_9CE4_8422_2325);
        assert_eq!(digest("a"), 0xAF63_DC4C_8601_EC8C);
        assert_eq!(digest("foobar"), 0x8594_4171_F739_67E8);
    }
}
