use super::*;
use proptest::prelude::*;

fn small() -> Mailbox<u32> {
    Mailbox::new(MailboxLimits { messages_max: 3, bytes_max: 100 })
}

#[test]
fn control_goes_first_and_each_lane_keeps_its_order() {
    let mut mailbox = small();
    for (lane, message) in [(Lane::User, 1), (Lane::User, 2), (Lane::Control, 3), (Lane::Control, 4)] {
        assert_eq!(mailbox.admit(lane, message, 1), Admit::Accepted);
    }
    assert_eq!(mailbox.peek(), Some(&3));
    assert_eq!(std::iter::from_fn(|| mailbox.pop()).collect::<Vec<_>>(), [3, 4, 1, 2]);
    mailbox.check();
}

#[test]
fn a_full_lane_hands_the_message_back_with_its_figures() {
    let mut mailbox = small();
    for message in 0..3 {
        assert_eq!(mailbox.admit(Lane::User, message, 10), Admit::Accepted);
    }
    let limit = MailboxLimits { messages_max: 3, bytes_max: 100 };
    let refused = Admit::Overloaded { message: 9, queued: 3, bytes: 30, limit };
    assert_eq!(mailbox.admit(Lane::User, 9, 1), refused);
    assert_eq!(mailbox.admit(Lane::Control, 9, 1), Admit::Accepted, "the other lane has its own bound");
    assert_eq!(mailbox.meters().refused, 1);
    mailbox.check();
}

#[test]
fn bytes_are_bounded_as_well() {
    let mut mailbox = small();
    assert_eq!(mailbox.admit(Lane::User, 1, 60), Admit::Accepted);
    assert!(matches!(mailbox.admit(Lane::User, 2, 41), Admit::Overloaded { bytes: 60, queued: 1, .. }));
    assert_eq!(mailbox.admit(Lane::User, 3, 40), Admit::Accepted);
    assert_eq!(mailbox.bytes(), 100);
    assert!(matches!(mailbox.admit(Lane::User, 4, usize::MAX), Admit::Overloaded { .. }));
    mailbox.check();
}

#[test]
fn a_message_larger_than_the_bound_gets_in_alone() {
    let mut mailbox = small();
    assert_eq!(mailbox.admit(Lane::User, 1, 101), Admit::Accepted);
    assert!(matches!(mailbox.admit(Lane::User, 2, 1), Admit::Overloaded { .. }));
    mailbox.check();
}

#[test]
fn a_withdrawn_message_is_gone_and_its_bytes_are_free() {
    let mut mailbox = small();
    for (message, bytes) in [(1, 10), (2, 80), (3, 10)] {
        assert_eq!(mailbox.admit(Lane::User, message, bytes), Admit::Accepted);
    }
    assert_eq!(mailbox.withdraw(|m| *m == 2), Some(2));
    assert_eq!(mailbox.withdraw(|m| *m == 2), None);
    assert_eq!(mailbox.bytes(), 20);
    assert_eq!(mailbox.pop_if(|m| *m == 3), None);
    assert_eq!(mailbox.pop_if(|m| *m == 1), Some(1));
    assert_eq!(mailbox.drain(), [3]);
    assert!(mailbox.is_empty());
    mailbox.check();
}

#[test]
fn an_emptied_mailbox_gives_a_burst_back() {
    let mut mailbox = Mailbox::default();
    for message in 0..1000u32 {
        assert_eq!(mailbox.admit(Lane::User, message, 1), Admit::Accepted);
    }
    while mailbox.pop().is_some() {}
    assert!(mailbox.user.messages.capacity() <= SLOTS_KEPT);
    assert_eq!(Mailbox::<u32>::default().user.messages.capacity(), 0);
}

#[test]
fn a_mailbox_that_one_message_went_through_holds_no_memory() {
    let mut mailbox = Mailbox::default();
    let mut pass = || {
        assert_eq!(mailbox.admit(Lane::User, 7_u32, 1), Admit::Accepted);
        assert_eq!(mailbox.pop(), Some(7));
        mailbox.user.messages.capacity()
    };
    assert_eq!(pass(), 0);
    let kept = pass();
    assert!((1..=SLOTS_KEPT).contains(&kept), "{kept} slots are kept for the next");
    assert_eq!(pass(), kept);
}

#[derive(Clone, Debug)]
enum Op {
    Admit(bool, usize),
    Pop,
    Withdraw(u32),
    Drain,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        6 => (any::<bool>(), 0..60usize).prop_map(|(control, bytes)| Op::Admit(control, bytes)),
        3 => Just(Op::Pop),
        1 => (0..40u32).prop_map(Op::Withdraw),
        1 => Just(Op::Drain),
    ];
    prop::collection::vec(op, 0..60)
}

proptest! {
    /// Against the plainest model: a vector of what was accepted, sorted by lane when it is looked at.
    #[test]
    fn accepted_is_handled_or_queued(ops in ops()) {
        let mut mailbox = small();
        let mut model: Vec<(bool, u32)> = Vec::new();
        let take = |model: &mut Vec<(bool, u32)>, at: usize| model.remove(at).1;
        for (id, op) in (0u32..).zip(ops) {
            match op {
                Op::Admit(control, bytes) => {
                    let lane = if control { Lane::Control } else { Lane::User };
                    match mailbox.admit(lane, id, bytes) {
                        Admit::Accepted => model.push((control, id)),
                        Admit::Overloaded { message, .. } => prop_assert_eq!(message, id),
                    }
                }
                Op::Pop => {
                    let at = model.iter().position(|(control, _)| *control).or(if model.is_empty() { None } else { Some(0) });
                    prop_assert_eq!(mailbox.pop(), at.map(|at| take(&mut model, at)));
                }
                Op::Withdraw(wanted) => {
                    let at = model.iter().position(|(_, id)| *id == wanted);
                    prop_assert_eq!(mailbox.withdraw(|m| *m == wanted), at.map(|at| take(&mut model, at)));
                }
                Op::Drain => {
                    model.sort_by_key(|(control, _)| !control);
                    let expected: Vec<u32> = model.drain(..).map(|(_, id)| id).collect();
                    prop_assert_eq!(mailbox.drain(), expected);
                }
            }
            mailbox.check();
            prop_assert_eq!(mailbox.len(), model.len());
        }
    }
}
