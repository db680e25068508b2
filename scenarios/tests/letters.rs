//! What an outbox promises to an actor, one fact at a time (promise P5).

use quark::{ActorContext, Deserialize, LetterId, OutboxError, Serialize};
use quark_scenarios::purse::{COINS, Purse};
use quark_testkit::travel::TimeTravel;
use std::collections::BTreeMap;
use std::time::Duration;

/// Writes letters to desks.
#[derive(Default, Serialize, Deserialize)]
struct Desk {
    noted: Vec<u32>,
    /// Until told otherwise it takes nothing.
    closed: bool,
}

#[quark::actor(kind = "desk", durable)]
impl Desk {
    fn write(&mut self, ctx: &ActorContext, to: String, numbers: Vec<u32>) -> Result<(), String> {
        let outbox = ctx.outbox().map_err(|error| error.to_string())?;
        for number in numbers {
            outbox.send(ctx.actor::<Desk>(&to).note(number)).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    fn write_and_panic(&mut self, ctx: &ActorContext, to: String) {
        let letter = ctx.actor::<Desk>(&to).note(1);
        ctx.outbox().and_then(|outbox| outbox.send(letter)).expect("it is staged");
        panic!("after the letter");
    }

    fn write_wrongly(&mut self, ctx: &ActorContext) -> Vec<String> {
        let outbox = ctx.outbox().expect("an exclusive turn of a durable kind");
        let errors = [
            outbox.send(ctx.actor::<Desk>("x").noted()).err(),
            outbox.send(ctx.actor::<Blackboard>("x").scribble(1)).err(),
            outbox.send(ctx.actor::<Desk>("x").fill("x".repeat(70 << 10))).err(),
        ];
        errors.iter().map(|error| error.as_ref().map_or("none".into(), OutboxError::to_string)).collect()
    }

    fn write_from_a_shared_turn(&self, ctx: &ActorContext) -> Option<String> {
        ctx.outbox().err().map(|error| error.to_string())
    }

    fn waiting(&mut self, ctx: &ActorContext) -> Vec<(String, u32, bool)> {
        let waiting = ctx.outbox().map(|outbox| outbox.waiting()).unwrap_or_default();
        waiting.iter().map(|l| (l.to.key().to_owned(), l.attempts, l.last_failure.is_some())).collect()
    }

    fn withdraw_first(&mut self, ctx: &ActorContext) -> Result<bool, String> {
        let outbox = ctx.outbox().map_err(|error| error.to_string())?;
        let id: Option<LetterId> = outbox.waiting().first().map(|letter| letter.id);
        id.map_or(Ok(false), |id| outbox.withdraw(id).map_err(|error| error.to_string()))
    }

    fn note(&mut self, number: u32) {
        assert!(!self.closed, "nobody is in");
        self.noted.push(number);
    }

    fn fill(&mut self, text: String) {
        self.noted.push(text.len() as u32);
    }

    fn set_closed(&mut self, closed: bool) {
        self.closed = closed;
    }

    fn noted(&self) -> Vec<u32> {
        self.noted.clone()
    }
}

/// Forgets.
#[derive(Default)]
struct Blackboard(u32);

#[quark::actor(kind = "blackboard")]
impl Blackboard {
    fn scribble(&mut self, ctx: &ActorContext, number: u32) -> Option<String> {
        self.0 += number;
        ctx.outbox().err().map(|error| error.to_string())
    }
}

/// Is saved when there is time.
#[derive(Default, Serialize, Deserialize)]
struct Lazy {
    given: u32,
}

#[quark::actor(kind = "lazy", write_behind = "60s")]
impl Lazy {
    fn count(&mut self) -> u32 {
        self.given += 1;
        self.given
    }

    fn give(&mut self, ctx: &ActorContext, to: String) -> Result<u32, String> {
        self.given += 1;
        let letter = ctx.actor::<Desk>(&to).note(self.given);
        ctx.outbox().and_then(|outbox| outbox.send(letter)).map_err(|error| error.to_string())?;
        Ok(self.given)
    }

    fn given(&self) -> u32 {
        self.given
    }
}

/// Is saved when it says so.
#[derive(Default, Serialize, Deserialize)]
struct Own {
    given: u32,
}

#[quark::actor(kind = "own", save = manual)]
impl Own {
    async fn give(&mut self, ctx: &ActorContext, to: String, save_after: bool) -> Result<u32, String> {
        self.given += 1;
        let letter = ctx.actor::<Desk>(&to).note(self.given);
        ctx.outbox().and_then(|outbox| outbox.send(letter)).map_err(|error| error.to_string())?;
        if save_after {
            ctx.save(self).await.map_err(|error| error.to_string())?;
        }
        Ok(self.given)
    }

    fn given(&self) -> u32 {
        self.given
    }
}

fn test() -> TimeTravel {
    TimeTravel::new(|silo| {
        silo.actor::<Desk>().actor::<Blackboard>().actor::<Purse>().actor::<Lazy>().actor::<Own>()
    })
}

const A_MINUTE: Duration = Duration::from_secs(60);

#[test]
fn letters_arrive_once_and_in_order() {
    let mut test = test();
    let (a, b) = (test.client().actor::<Desk>("a"), test.client().actor::<Desk>("b"));
    for turn in 0..5 {
        let numbers = (turn * 40..turn * 40 + 40).collect();
        test.run(a.write("b".into(), numbers)).expect("it is committed");
    }
    test.advance(A_MINUTE);
    assert_eq!(test.run(b.noted()), Ok((0..200).collect()));
    assert_eq!(test.run(a.waiting()), Ok(vec![]));
}

#[test]
fn a_turn_that_does_not_commit_has_written_nothing() {
    let mut test = test();
    let (a, b) = (test.client().actor::<Desk>("a"), test.client().actor::<Desk>("b"));
    test.run(a.write_and_panic("b".into())).expect_err("it panics");
    test.advance(A_MINUTE);
    assert_eq!((test.run(a.waiting()), test.run(b.noted())), (Ok(vec![]), Ok(vec![])));
}

#[test]
fn what_is_wrong_with_a_letter_is_said_and_nothing_is_sent() {
    let mut test = test();
    let a = test.client().actor::<Desk>("a");
    let errors = test.run(a.write_wrongly()).expect("it serves");
    for (error, part) in
        errors.iter().zip(["`noted` takes `&self`", "`blackboard` cannot", "the limit is 65536"])
    {
        assert!(error.contains(part), "{error}");
    }
    let shared = test.run(a.write_from_a_shared_turn()).expect("it serves").expect("an error");
    assert!(shared.contains("`desk` is not durable, or this turn takes `&self`"), "{shared}");
    let board = test.client().actor::<Blackboard>("b");
    let volatile = test.run(board.scribble(1)).expect("it serves").expect("an error");
    assert!(volatile.contains("`blackboard` is not durable"), "{volatile}");
    let many = test.run(a.write("b".into(), (0..65).collect())).expect_err("one too many");
    assert!(many.to_string().contains("64 letters at most"), "{many}");
    test.advance(A_MINUTE);
    let b = test.client().actor::<Desk>("b");
    assert_eq!(test.run(b.noted()), Ok((0..64).collect()), "a turn that returns an error of its own commits");
}

#[test]
fn a_letter_that_cannot_be_taken_waits_and_can_be_withdrawn() {
    let mut test = test();
    let (a, b) = (test.client().actor::<Desk>("a"), test.client().actor::<Desk>("b"));
    test.run(b.set_closed(true)).expect("it serves");
    test.run(a.write("b".into(), vec![1, 2])).expect("it is committed");
    test.run(a.write("c".into(), vec![3])).expect("it is committed");
    test.advance(A_MINUTE);
    let c = test.client().actor::<Desk>("c");
    assert_eq!(test.run(c.noted()), Ok(vec![3]), "another receiver does not wait");
    let waiting = test.run(a.waiting()).expect("it serves");
    assert!(
        matches!(&waiting[..], [(to, tried, true), (_, 0, false)] if to == "b" && *tried > 3),
        "{waiting:?}"
    );
    assert_eq!(test.run(a.withdraw_first()), Ok(true));
    test.advance(5 * A_MINUTE);
    test.run(b.set_closed(false)).expect("the quarantine is over");
    test.advance(A_MINUTE);
    assert_eq!(test.run(b.noted()), Ok(vec![2]), "the first was given up");
}

#[test]
fn letters_that_nobody_takes_are_bounded() {
    let mut test = test();
    let (a, b) = (test.client().actor::<Desk>("a"), test.client().actor::<Desk>("b"));
    test.run(b.set_closed(true)).expect("it serves");
    for _ in 0..16 {
        test.run(a.write("b".into(), vec![0; 64])).expect("there is room");
    }
    let full = test.run(a.write("c".into(), vec![1])).expect_err("there is none");
    assert!(full.to_string().contains("1024 letters that nobody has taken"), "{full}");
}

#[test]
fn a_letter_goes_with_the_state_of_its_turn_however_its_kind_is_saved() {
    let mut test = test();
    let (lazy, own) = (test.client().actor::<Lazy>("a"), test.client().actor::<Own>("a"));
    assert_eq!(test.run(lazy.count()), Ok(1));
    assert_eq!(test.run(lazy.give("b".into())), Ok(2));
    // Whatever commits takes all with it, also the deletion of the letter's row.
    test.advance(Duration::from_secs(1));
    assert_eq!(test.run(lazy.count()), Ok(3));
    assert_eq!(test.run(own.give("c".into(), false)), Ok(1));
    let torn = test.run(own.give("c".into(), true)).expect_err("state and letter are one commit").to_string();
    assert!(torn.contains("it commits at its end"), "{torn}");
    test.crash();
    test.restart();
    test.advance(20 * A_MINUTE);
    let (lazy, own) = (test.client().actor::<Lazy>("a"), test.client().actor::<Own>("a"));
    assert_eq!(test.run(lazy.given()), Ok(2), "what came after the letter was not saved yet");
    assert_eq!(test.run(own.given()), Ok(2));
    for (desk, noted) in [("b", vec![2]), ("c", vec![1, 2])] {
        let desk = test.client().actor::<Desk>(desk);
        assert_eq!(test.run(desk.noted()), Ok(noted));
    }
}

/// Gives, and lets the power fail so much later; then everybody sleeps for a year.
fn give_and_sleep(crash_after: Duration) -> BTreeMap<String, Purse> {
    let mut test = test();
    let (a, b) = (test.client().actor::<Purse>("a"), test.client().actor::<Purse>("b"));
    test.run(a.look()).expect("it serves");
    test.run(b.look()).expect("it serves");
    assert_eq!(test.run(a.give(5, "b".into())), Ok(COINS - 5));
    test.advance(crash_after);
    test.crash();
    test.advance(Duration::from_secs(365 * 24 * 3600));
    test.restart();
    test.advance(20 * A_MINUTE);
    let purses = ["a", "b"].map(|name| {
        let purse = test.client().actor::<Purse>(name);
        (name.to_owned(), test.run(purse.look()).expect("it serves"))
    });
    purses.into()
}

#[test]
fn a_sender_that_slept_for_a_year_is_heard_once() {
    // From before the letter leaves until after its row is gone.
    for crash_after in (0..24).map(|step| Duration::from_micros(step * 500)) {
        let purses = give_and_sleep(crash_after);
        assert_eq!(Purse::faults_among(&purses), [""; 0], "{crash_after:?}");
        assert_eq!(purses["b"].coins(), COINS + 5, "{crash_after:?}");
    }
    let reached = quark_core::probe::snapshot();
    for probe in ["outbox.resumed", "outbox.taken_before"] {
        assert!(reached.get(probe).is_some_and(|times| *times > 0), "no crash was followed by {probe}");
    }
}
