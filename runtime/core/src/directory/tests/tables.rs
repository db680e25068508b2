//! Single steps: what goes in, and exactly what comes out.

use super::*;
use crate::Instant;
use DirectoryMessage as M;

/// One directory, with everything that it said since the last look.
struct Desk {
    directory: Directory,
    now: Instant,
    said: Vec<Action>,
}

fn desk(me: &str) -> Desk {
    Desk {
        directory: Directory::new(silo(me), Config::default()),
        now: Instant(5_000_000_000),
        said: Vec::new(),
    }
}

impl Desk {
    /// The newest view; one silo owns everything.
    fn view(&mut self, version: u64, members: &str, owner: &str) -> &mut Self {
        let input = Input::ViewChanged { view: view(version, members), ring: SmallRing::single(silo(owner)) };
        self.step(input)
    }

    fn hear(&mut self, from: &str, message: M) -> &mut Self {
        self.step(Input::Message { from: silo(from), message })
    }

    fn wait(&mut self, time: Duration) -> &mut Self {
        self.now += time;
        self.step(Input::Timer)
    }

    fn step(&mut self, input: Input) -> &mut Self {
        self.directory.step(self.now, input, &mut self.said);
        self.directory.check();
        self
    }

    /// What was said since the last time, in short.
    fn says(&mut self, expected: &[&str]) -> &mut Self {
        let said: Vec<String> = self.said.drain(..).map(|a| short(&a)).collect();
        assert_eq!(said, expected);
        self
    }

    fn resolves(&mut self, n: u64, expected: Resolution) -> &mut Self {
        assert_eq!(self.directory.resolve(&actor(n)), expected);
        self
    }

    fn hosts(&mut self, n: u64, registration: Registration, expected: Hosting) -> &mut Self {
        assert_eq!(self.directory.host(self.now, &actor(n), registration, &mut self.said), expected);
        self
    }

    fn assigns(&mut self, n: u64, target: &str) -> Registration {
        self.directory.assign(&actor(n), silo(target)).expect("vacant")
    }
}

fn short(action: &Action) -> String {
    match action {
        Action::Send { to, message } => format!("{to} {}", short_message(message)),
        Action::Unlocked { spans } if *spans == Spans::all() => "unlocked all".into(),
        Action::Unlocked { spans } => format!("unlocked {}", spans.count()),
        Action::Evict { actor, .. } => format!("evict {actor}"),
        Action::ReadTable { at_least } => format!("read {at_least}"),
    }
}

fn short_message(message: &M) -> String {
    match message {
        M::Transfer { since, page, .. } => format!("transfer since {since} page {}", page.number),
        M::Transferred { entries, missing, more, .. } => {
            let missing = if missing.is_empty() { "" } else { " some missing" };
            format!("transferred {}{missing}{}", entries.len(), if *more { " more" } else { "" })
        }
        M::Recover { since, page, .. } => format!("recover since {since} page {}", page.number),
        M::Hosting { hosted, .. } => format!("hosting {}", hosted.len()),
        M::Behind { view, .. } => format!("behind {view}"),
        M::Ended { ended, .. } => format!("ended {}", ended.len()),
        M::Forgotten { ended } => format!("forgotten {}", ended.len()),
        M::Evict { actor, .. } => format!("evict {actor}"),
        M::Relay { origin, to, message } => format!("for {to} from {origin}: {}", short_message(message)),
    }
}

fn registration(view: u64, serial: u64) -> Registration {
    Registration { view: ViewVersion(view), serial }
}

fn transfer(since: u64) -> M {
    M::Transfer { request: 7, since: ViewVersion(since), spans: Spans::all(), page: Page::default() }
}

fn recover(since: u64) -> M {
    M::Recover { request: 8, since: ViewVersion(since), spans: Spans::all(), page: Page::default() }
}

fn transferred(request: u64, page: u32, entries: &[(u64, &str, Registration)], more: bool) -> M {
    let place = |(n, host, registration): &(u64, &str, Registration)| {
        (actor(*n), Place { silo: silo(host), registration: *registration })
    };
    M::Transferred {
        request,
        page,
        entries: entries.iter().map(place).collect(),
        missing: Spans::none(),
        more,
    }
}

fn hosting(request: u64, hosted: &[(u64, Registration)]) -> M {
    let hosted = hosted.iter().map(|(n, registration)| (actor(*n), *registration)).collect();
    M::Hosting { request, page: 0, hosted, more: false }
}

fn ended(view: u64, n: u64, registration: Registration) -> M {
    M::Ended {
        view: ViewVersion(view),
        floor: Registration::default(),
        ended: vec![(actor(n), registration)],
    }
}

#[test]
fn the_only_silo_opens_at_once() {
    let mut desk = desk("a");
    desk.resolves(1, Resolution::NotOwner { owner: None });
    desk.view(1, "a", "a").says(&["unlocked all"]).resolves(1, Resolution::Vacant);
    let first = desk.assigns(1, "a");
    desk.resolves(1, Resolution::At { silo: silo("a"), registration: first });
    assert_eq!(
        desk.directory.assign(&actor(1), silo("a")),
        Err(Resolution::At { silo: silo("a"), registration: first }),
        "placed once"
    );
    assert_eq!(desk.directory.hosted(&actor(1)), Some(first));
    assert!(desk.assigns(2, "a") > first);
    assert_eq!(desk.directory.next_deadline(), None, "an idle directory costs nothing");
}

#[test]
fn a_silo_that_is_not_active_is_given_nothing() {
    let mut desk = desk("a");
    desk.view(1, "a b? c~", "a").wait(ms(20));
    let request = desk.directory.requests;
    desk.hear("c", hosting(request, &[]));
    for other in ["b", "c", "d"] {
        assert!(desk.directory.assign(&actor(1), silo(other)).is_err());
    }
    desk.resolves(1, Resolution::Vacant);
}

#[test]
fn a_range_is_locked_until_the_last_page_is_here() {
    let mut desk = desk("b");
    desk.view(1, "a b?", "a").says(&[]).view(2, "a b", "b").says(&["a#1 transfer since 2 page 0"]);
    desk.resolves(1, Resolution::Locked);
    let here = registration(1, 1);
    desk.hear("a", transferred(1, 0, &[(1, "a", here)], true)).says(&["a#1 transfer since 2 page 1"]);
    desk.resolves(1, Resolution::Locked);
    desk.hear("a", transferred(1, 0, &[], false)).says(&[]);
    desk.hear("a", transferred(1, 1, &[(2, "a", registration(1, 2))], false)).says(&["unlocked all"]);
    desk.resolves(1, Resolution::At { silo: silo("a"), registration: here }).resolves(3, Resolution::Vacant);
}

#[test]
fn an_owner_gives_its_entries_once() {
    let mut desk = desk("a");
    desk.view(1, "a", "a");
    desk.assigns(1, "a");
    desk.view(2, "a b", "b").said.clear();
    desk.resolves(1, Resolution::NotOwner { owner: Some(silo("b")) });
    assert!(!desk.directory.is_drained());
    desk.hear("b", transfer(2)).says(&["b#1 transferred 1"]);
    // The answer got lost: the same request again.
    desk.hear("b", transfer(2)).says(&["b#1 transferred 1"]);
    desk.view(3, "a b c", "c").hear("c", transfer(3)).says(&["c#1 transferred 0 some missing"]);
    desk.wait(ms(60_000));
    assert!(desk.directory.released.is_empty(), "not kept for ever");
}

#[test]
fn the_last_silo_to_leave_waits_for_nobody() {
    let mut desk = desk("a");
    desk.view(1, "a", "a");
    let placed = desk.assigns(1, "a");
    desk.step(Input::ViewChanged { view: view(2, "a~"), ring: Arc::new(Ring::build([])) });
    assert!(!desk.directory.is_drained(), "it hosts something");
    desk.directory.gone(desk.now, &actor(1), placed);
    assert!(desk.directory.is_drained(), "nobody owns the range that it would have to tell");
}

#[test]
fn a_requester_of_an_older_view_than_the_token_is_told() {
    let mut desk = desk("a");
    desk.view(1, "a b", "a").wait(ms(20)).hear("b", hosting(1, &[])).view(3, "a b c", "c").said.clear();
    desk.hear("c", transfer(3)).says(&["c#1 transferred 0"]);
    desk.hear("b", recover(2)).says(&["b#1 behind 3"]);
    desk.hear("b", transfer(2)).says(&["b#1 behind 3"]);
}

#[test]
fn an_owner_does_not_answer_who_takes_itself_for_the_owner() {
    let mut desk = desk("a");
    desk.view(3, "a", "a").said.clear();
    desk.hear("b", transfer(2)).says(&["b#1 behind 3"]);
    desk.hear("b", recover(2)).says(&["b#1 behind 3"]);
    // Two owners of one view cannot be: nothing sensible to say.
    desk.hear("b", recover(3)).says(&[]);
    desk.resolves(1, Resolution::Vacant);
}

#[test]
fn told_of_a_newer_view_a_hand_over_begins_anew() {
    let mut desk = desk("b");
    desk.view(1, "a b", "a").view(2, "a b", "b").said.clear();
    desk.hear("a", M::Behind { request: 1, view: ViewVersion(4) }).says(&["read 4"]);
    // What comes for the old request is out of date.
    desk.view(5, "a b", "b").says(&["a#1 transfer since 5 page 0"]);
    desk.hear("a", transferred(1, 0, &[], false)).says(&[]).resolves(1, Resolution::Locked);
    desk.hear("a", transferred(2, 0, &[], false)).says(&["unlocked all"]);
}

#[test]
fn a_request_of_a_view_to_come_waits_for_it() {
    let mut desk = desk("a");
    desk.view(1, "a", "a");
    desk.assigns(1, "a");
    desk.said.clear();
    desk.hear("b", transfer(2)).says(&["read 2"]).hear("b", transfer(2)).says(&["read 2"]);
    desk.view(2, "a b", "b").says(&["unlocked all", "b#1 transferred 1"]);
}

#[test]
fn what_the_owner_before_does_not_know_is_recovered() {
    let mut desk = desk("b");
    desk.view(1, "a b? c", "a").view(2, "a b c d?", "b").says(&["a#1 transfer since 2 page 0"]);
    let answer = M::Transferred { request: 1, page: 0, entries: vec![], missing: Spans::all(), more: false };
    desk.hear("a", answer).says(&["a#1 recover since 2 page 0", "c#1 recover since 2 page 0"]);
    desk.hear("c", hosting(2, &[(1, registration(1, 1))])).resolves(1, Resolution::Locked).says(&[]);
    desk.hear("a", hosting(2, &[])).says(&["unlocked all"]);
    desk.resolves(1, Resolution::At { silo: silo("c"), registration: registration(1, 1) });
}

#[test]
fn after_a_death_a_range_waits_for_the_grace() {
    let mut desk = desk("b");
    desk.view(1, "a b c", "a").view(2, "a- b c", "b").says(&["c#1 recover since 2 page 0"]);
    desk.hear("c", hosting(1, &[])).says(&[]).wait(ms(999)).says(&[]).resolves(1, Resolution::Locked);
    desk.wait(ms(1)).says(&["unlocked 0", "unlocked all"]).resolves(1, Resolution::Vacant);
}

#[test]
fn rounds_of_recovery_keep_apart_and_name_the_view_of_the_last_gain() {
    let mut desk = desk("b");
    desk.directory.config.question_every = ms(1000);
    let halves = BTreeMap::from([(1 << 63, silo("b")), (u64::MAX, silo("c"))]);
    let input = Input::ViewChanged { view: view(2, "a- b c d"), ring: Arc::new(SmallRing(halves)) };
    desk.view(1, "a b c d", "a").step(input);
    desk.says(&["c#1 recover since 2 page 0", "d#1 recover since 2 page 0"]).hear("d", hosting(1, &[]));
    // Two questions were asked: the next round is two seconds away, whatever is gained or happens meanwhile.
    desk.view(3, "a- b c- d", "b").view(4, "a- b c- d e?", "b").says(&[]);
    desk.wait(ms(1000)).says(&["unlocked 0", "unlocked 1"]);
    desk.wait(ms(999)).says(&[]).wait(ms(1)).says(&["d#1 recover since 3 page 0"]);
}

#[test]
fn an_entry_of_a_dead_host_outlives_its_lease() {
    let mut desk = desk("a");
    desk.view(1, "a b", "a").hear("b", hosting(1, &[]));
    let placed = desk.assigns(1, "b");
    desk.resolves(1, Resolution::At { silo: silo("b"), registration: placed });
    desk.view(2, "a b-", "a").said.clear();
    let until = desk.now + ms(1000);
    desk.resolves(1, Resolution::Draining { until });
    assert_eq!(desk.directory.next_deadline(), Some(until));
    desk.wait(ms(1000)).says(&["unlocked all"]).resolves(1, Resolution::Vacant);
    assert_eq!(desk.directory.entry_count(), 0);
}

#[test]
fn a_host_that_was_reborn_is_another_host() {
    let mut desk = desk("a");
    desk.view(1, "a b", "a").hear("b", hosting(1, &[]));
    desk.assigns(1, "b");
    desk.view(2, "a b2+", "a").said.clear();
    let until = desk.now + ms(1000);
    desk.resolves(1, Resolution::Draining { until }).wait(ms(1000)).resolves(1, Resolution::Vacant);
}

#[test]
fn a_row_that_vanished_is_a_death_of_unknown_grace() {
    let mut desk = desk("a");
    desk.view(1, "a b", "a").hear("b", hosting(1, &[]));
    desk.assigns(1, "b");
    desk.view(9, "a", "a");
    let until = desk.now + Config::default().lost_grace;
    desk.resolves(1, Resolution::Draining { until });
    desk.wait(Config::default().lost_grace).resolves(1, Resolution::Vacant);
}

#[test]
fn an_older_placement_never_removes_a_newer_one() {
    let mut desk = desk("a");
    desk.view(1, "a b c", "a").hear("b", hosting(1, &[])).hear("c", hosting(1, &[]));
    let first = desk.assigns(1, "b");
    desk.hear("b", ended(1, 1, first)).resolves(1, Resolution::Vacant);
    let second = desk.assigns(1, "b");
    desk.said.clear();
    desk.hear("b", ended(1, 1, first)).says(&["b#1 forgotten 1"]);
    desk.hear("c", ended(1, 1, second)).says(&["c#1 forgotten 1"]);
    desk.resolves(1, Resolution::At { silo: silo("b"), registration: second });
}

#[test]
fn what_ended_is_told_until_the_owner_has_forgotten_it() {
    let mut desk = desk("a");
    desk.view(1, "a b c", "b").hosts(1, registration(1, 4), Hosting::Accept);
    desk.hosts(1, registration(1, 4), Hosting::Already);
    desk.directory.gone(desk.now, &actor(1), registration(1, 4));
    desk.says(&[]).wait(ms(5)).says(&["b#1 ended 1"]).wait(ms(250)).says(&["b#1 ended 1"]);
    // From the third time on also around a link that may be cut.
    desk.wait(ms(250)).says(&["c#1 for b#1 from a#1: ended 1"]).wait(ms(250)).says(&["b#1 ended 1"]);
    desk.hear("b", M::Forgotten { ended: vec![(actor(1), registration(1, 4))] });
    assert!(desk.directory.is_drained() && desk.directory.next_deadline().is_none());
    // A request that comes late must not bring it back.
    let stale = Hosting::Stale { view: ViewVersion(1) };
    desk.hosts(1, registration(1, 4), stale).hosts(1, registration(1, 5), Hosting::Accept);
}

#[test]
fn a_host_that_answered_a_newer_owner_refuses_the_older() {
    let mut desk = desk("c");
    desk.view(1, "a b c", "a").view(2, "a b c", "b").hear("b", recover(2)).says(&["b#1 hosting 0"]);
    desk.hosts(1, registration(1, 1), Hosting::Stale { view: ViewVersion(2) });
    desk.hosts(2, registration(2, 1), Hosting::Accept);
    desk.wait(ms(5)).says(&["b#1 ended 1"]);
}

#[test]
fn a_host_with_many_endings_raises_its_floor_and_says_so() {
    let mut host = desk("a");
    host.directory.config.ended_max = 2;
    host.view(1, "a b", "b");
    for serial in [5, 6, 7] {
        host.hosts(serial, registration(1, serial), Hosting::Accept);
        host.directory.gone(host.now, &actor(serial), registration(1, serial));
    }
    host.hosts(1, registration(1, 4), Hosting::Stale { view: ViewVersion(1) });
    host.wait(ms(5));
    let told = host.said.pop();
    let Some(Action::Send { message: told @ M::Ended { .. }, .. }) = told else { panic!("{told:?}") };
    let mut owner = desk("b");
    owner.view(1, "a b", "b").hear("a", hosting(1, &[])).hear("a", told);
    assert_eq!(owner.assigns(1, "a"), registration(1, 6), "above the floor");
    // A number that nobody ever counted to is not believed.
    let floor = registration(1, u64::MAX);
    owner.hear("a", M::Ended { view: ViewVersion(1), floor, ended: vec![] });
    assert_eq!(owner.assigns(2, "a"), registration(1, 7));
}

#[test]
fn of_two_hosts_the_newer_placement_wins() {
    let mut desk = desk("a");
    desk.view(1, "a b c", "a").said.clear();
    desk.hear("b", hosting(1, &[(1, registration(0, 3))])).hear("c", hosting(1, &[(1, registration(0, 2))]));
    desk.says(&["unlocked all", "c#1 evict thing/1"]).wait(ms(250)).says(&["c#1 evict thing/1"]);
    desk.resolves(1, Resolution::At { silo: silo("b"), registration: registration(0, 3) });
    desk.hear("c", ended(1, 1, registration(0, 2))).says(&["c#1 forgotten 1"]);
    assert_eq!(desk.directory.next_deadline(), None);
    desk.resolves(1, Resolution::At { silo: silo("b"), registration: registration(0, 3) });
}

#[test]
fn an_evicted_activation_ends_and_says_so() {
    let mut desk = desk("a");
    desk.view(1, "a b", "b").hosts(1, registration(1, 1), Hosting::Accept);
    let evict = M::Evict { actor: actor(1), registration: registration(1, 1) };
    desk.hear("b", evict.clone()).says(&["evict thing/1"]);
    desk.directory.gone(desk.now, &actor(1), registration(1, 1));
    desk.wait(ms(5)).says(&["b#1 ended 1"]);
    // Asked once more, it says so once more.
    desk.hear("b", evict).says(&["b#1 ended 1"]);
}

#[test]
fn the_dead_are_not_listened_to() {
    let mut desk = desk("b");
    desk.view(1, "a b", "a").view(2, "a2+ b", "b").wait(ms(1000)).said.clear();
    let placed = desk.directory.requests;
    desk.hear("a", hosting(placed, &[(1, registration(1, 1))])).says(&[]);
    let relayed = Box::new(hosting(placed, &[(1, registration(1, 1))]));
    desk.hear("c", M::Relay { origin: silo("a"), to: silo("b"), message: relayed }).says(&[]);
    desk.resolves(1, Resolution::Locked);
    desk.hear("a2", hosting(placed, &[])).resolves(1, Resolution::Vacant);
}

#[test]
fn a_silo_that_reads_its_own_death_says_nothing_any_more() {
    let mut desk = desk("a");
    desk.view(1, "a", "a");
    desk.assigns(1, "a");
    desk.view(2, "a- b", "b").said.clear();
    desk.resolves(1, Resolution::NotOwner { owner: None }).hear("b", transfer(2)).says(&[]);
    desk.hosts(2, registration(2, 1), Hosting::Stale { view: ViewVersion(2) });
    assert!(desk.directory.next_deadline().is_none() && desk.directory.is_drained());
}

#[test]
fn a_silent_link_is_gone_around_from_the_third_try_on() {
    let mut desk = desk("b");
    desk.view(1, "a b c", "a").view(2, "a b c", "b").says(&["a#1 transfer since 2 page 0"]);
    desk.wait(ms(250)).says(&["a#1 transfer since 2 page 0"]);
    desk.wait(ms(250)).says(&["c#1 for a#1 from b#1: transfer since 2 page 0"]);
    desk.wait(ms(250)).says(&["a#1 transfer since 2 page 0"]);
    let message = Box::new(transferred(1, 0, &[], false));
    desk.hear("c", M::Relay { origin: silo("a"), to: silo("b"), message }).says(&["unlocked all"]);
}

#[test]
fn a_relay_passes_on_once() {
    let relay = |origin: &str, to: &str, message: M| M::Relay {
        origin: silo(origin),
        to: silo(to),
        message: Box::new(message),
    };
    let mut desk = desk("c");
    desk.view(2, "a b c d-", "b").said.clear();
    desk.hear("a", relay("a", "b", recover(2))).says(&["b#1 for b#1 from a#1: recover since 2 page 0"]);
    desk.hear("b", relay("a", "b", recover(2))).says(&[]);
    desk.hear("a", relay("a", "d", recover(2))).says(&[]);
    desk.hear("a", relay("a", "b", relay("a", "b", recover(2)))).says(&[]);
    // An answer goes back the way the question came.
    desk.hear("a", relay("b", "c", recover(2))).says(&["a#1 for b#1 from c#1: hosting 0"]);
}

#[test]
fn a_range_lost_and_regained_unasked_is_open_at_once() {
    let mut desk = desk("a");
    desk.view(1, "a b", "a").hear("b", hosting(1, &[]));
    let placed = desk.assigns(1, "a");
    desk.view(2, "a b", "b")
        .view(3, "a b", "a")
        .resolves(1, Resolution::At { silo: silo("a"), registration: placed });
    assert!(!desk.directory.is_locked());
    desk.view(4, "a b", "b").hear("b", transfer(4)).said.clear();
    desk.view(5, "a b", "a").says(&["b#1 transfer since 5 page 0"]).resolves(1, Resolution::Locked);
}

#[test]
fn messages_survive_the_wire() {
    let messages = [
        transfer(3),
        transferred(1, 2, &[(1, "a", registration(1, 1))], true),
        recover(3),
        hosting(1, &[(4, registration(1, 1))]),
        M::Behind { request: 1, view: ViewVersion(3) },
        ended(1, 1, registration(1, 1)),
        M::Forgotten { ended: vec![] },
        M::Evict { actor: actor(1), registration: registration(1, 1) },
        M::Relay { origin: silo("a"), to: silo("b"), message: Box::new(recover(1)) },
    ];
    for message in messages {
        let bytes = bincode::serialize(&message).expect("it can be written");
        assert_eq!(bincode::deserialize::<M>(&bytes).expect("it can be read"), message);
    }
    let empty = bincode::serialize(&hosting(1, &[])).expect("it can be written");
    assert!(empty.len() <= 32, "{} bytes to say that nothing is hosted", empty.len());
}
