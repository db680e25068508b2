use super::*;
use proptest::prelude::*;

#[test]
fn credit_is_taken_and_comes_back() {
    let mut credit = Credit::new(Amount::new(2, 100));
    let first = credit.consume(60).expect("there is credit");
    let refused = credit.consume(41).expect_err("too many bytes");
    assert_eq!(refused, Exhausted { bytes: 41, available: Amount::new(1, 40), granted: Amount::new(2, 100) });
    assert!(refused.to_string().contains("41"), "{refused}");
    let second = credit.consume(40).expect("exactly what is left");
    assert!(credit.consume(0).is_err(), "no message left");
    credit.give_back(first);
    assert_eq!(credit.available(), Amount::new(1, 60));
    credit.give_back(second);
    assert_eq!(credit.under_way(), Amount::default());
}

#[test]
fn a_grant_adds_and_never_overflows() {
    let mut credit = Credit::new(Amount::new(0, 0));
    assert!(credit.consume(0).is_err());
    credit.grant(Amount::new(1, 10));
    let taken = credit.consume(10).expect("granted");
    credit.grant(Amount::new(u64::MAX, u64::MAX));
    credit.give_back(taken);
    assert_eq!(credit.available(), Amount::new(u64::MAX, u64::MAX));
}

#[test]
fn a_message_larger_than_the_grant_gets_through_alone() {
    let mut credit = Credit::new(Amount::new(5, 100));
    let large = credit.consume(1000).expect("nothing else is under way");
    assert!(credit.consume(1).is_err());
    credit.give_back(large);
    assert_eq!(credit.available(), Amount::new(5, 100));
}

#[test]
#[should_panic(expected = "credit comes back that this link did not give")]
fn credit_of_another_link_is_noticed() {
    let mut one = Credit::new(Amount::new(1, 1));
    let taken = one.consume(1).expect("there is credit");
    Credit::new(Amount::new(1, 1)).give_back(taken);
}

proptest! {
    /// Whatever is taken, granted and given back in whatever order: the sum holds, and the bound on what is under way.
    #[test]
    fn credit_is_conserved(ops in prop::collection::vec((0..3u8, 0..50u64, any::<prop::sample::Index>()), 0..80)) {
        let mut credit = Credit::new(Amount::new(3, 100));
        let (mut granted, mut held) = (Amount::new(3, 100), Vec::new());
        for (op, size, at) in ops {
            match op {
                0 => held.extend(credit.consume(size).ok()),
                1 if !held.is_empty() => credit.give_back(held.swap_remove(at.index(held.len()))),
                _ if size < 3 => {
                    credit.grant(Amount::new(size, size));
                    granted = granted.plus(Amount::new(size, size));
                }
                _ => {}
            }
            credit.check();
            prop_assert_eq!(credit.under_way().messages, held.len() as u64);
            prop_assert!(credit.under_way().messages <= granted.messages && credit.under_way().bytes <= granted.bytes);
        }
        for taken in held {
            credit.give_back(taken);
        }
        prop_assert_eq!(credit.available(), granted);
    }
}
