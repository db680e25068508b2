use super::*;
use crate::view::{Member, Status};
use crate::{SiloName, ViewVersion};
use proptest::prelude::*;
use std::time::Duration;

fn silo(name: &str, generation: u64) -> SiloId {
    SiloId::new(SiloName::new(name).expect("valid"), Generation(generation))
}

fn hello(name: &str, protocols: (u16, u16), contract_digest: u64) -> Hello {
    let (protocol_min, protocol_max) = protocols;
    Hello { cluster: "c".into(), silo: silo(name, 1), protocol_min, protocol_max, contract_digest }
}

#[test]
fn the_newest_common_protocol_is_spoken() {
    for (ours, theirs, expected) in [
        ((1, 1), (1, 1), Some(1)),
        ((1, 3), (2, 5), Some(3)),
        ((2, 5), (1, 3), Some(3)),
        ((1, 2), (3, 4), None),
        ((3, 4), (1, 2), None),
        ((1, 9), (5, 4), None),
        ((0, u16::MAX), (0, u16::MAX), Some(u16::MAX)),
    ] {
        let agreed = agree(&hello("a", ours, 7), &hello("b", theirs, 7));
        assert_eq!(agreed.ok().map(|a| a.protocol), expected, "{ours:?} {theirs:?}");
    }
}

#[test]
fn a_contract_of_zero_accepts_any() {
    for (ours, theirs, is_fine) in [(7, 7, true), (0, 7, true), (7, 0, true), (0, 0, true), (7, 8, false)] {
        let agreed = agree(&hello("a", (1, 1), ours), &hello("b", (1, 1), theirs));
        assert_eq!(agreed.is_ok(), is_fine, "{ours} {theirs}");
    }
}

#[test]
fn a_refusal_names_both_values_and_the_remedy() {
    let check = |refusal: Refusal, parts: &[&str]| {
        let text = refusal.to_string();
        assert!(parts.iter().all(|part| text.contains(part)), "{text}");
        let bytes = crate::codec::encode(&refusal, 1000).expect("fits");
        let read: Refusal =
            crate::codec::decode(&bytes, crate::codec::CodecLimits::default()).expect("valid");
        assert_eq!(read, refusal);
    };
    let ours = Hello::new("c", silo("a", 1), 0xA);
    let refused = |theirs: Hello| agree(&ours, &theirs).expect_err("refused");
    let theirs = Hello::new("d", silo("b", 2), 0xB);
    check(refused(theirs.clone()), &["b#2", "`c`", "`d`", "cluster id"]);
    let theirs = Hello { cluster: "c".into(), ..theirs };
    check(refused(theirs.clone()), &["b#2", "000000000000000a", "000000000000000b", "deploy"]);
    let theirs = Hello { protocol_min: 8, protocol_max: 9, ..theirs };
    check(refused(theirs.clone()), &["b#2", "8 to 9", "1 to 1", "upgrade"]);
    let expected = check_expected(silo("b", 3), &theirs).expect_err("another generation");
    check(expected, &["b#2", "b#3", "again"]);
    assert_eq!(check_expected(silo("b", 2), &theirs), Ok(()));
}

#[test]
fn a_dead_generation_is_told_so() {
    let member = |name, generation, status| Member {
        id: silo(name, generation),
        address: String::new(),
        status,
        grace: Duration::ZERO,
    };
    let members = vec![member("a", 2, Status::Active), member("b", 5, Status::Dead)];
    let view = View { version: ViewVersion(1), members };
    let check = |name, generation| check_alive(&view, &Hello::new("c", silo(name, generation), 0));
    assert_eq!(check("a", 2), Ok(()));
    assert_eq!(check("a", 3), Ok(()), "newer than the view knows");
    assert_eq!(check("stranger", 1), Ok(()));
    assert_eq!(check("a", 1), Err(Refusal::Dead { silo: silo("a", 1), known: Generation(2) }));
    let refusal = check("b", 5).expect_err("dead");
    assert!(refusal.to_string().contains("stop it"), "{refusal}");
}

fn hellos() -> impl Strategy<Value = Hello> {
    ("[cd]", 0..4u16, 0..4u16, 0..3u64)
        .prop_map(|(cluster, min, max, digest)| Hello { cluster, ..hello("a", (min, max), digest) })
}

proptest! {
    #[test]
    fn both_sides_come_to_the_same_end(a in hellos(), b in hellos()) {
        prop_assert_eq!(agree(&a, &b).ok(), agree(&b, &a).ok());
    }
}
