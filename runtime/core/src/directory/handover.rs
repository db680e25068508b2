//! The receiver's part: a range that came with a view is locked until its entries are here.

use super::core::{Action, Directory, Peer};
use super::message::{DirectoryMessage, Page, Place, Registration};
use super::point_map::PointMap;
use super::span::Spans;
use crate::view::Status;
use crate::{ActorId, Instant, SiloId, ViewVersion, reached};
use serde::Serialize;
use std::collections::BTreeMap;

/// The hand-over of one set of ranges: from the silo that owned them, or from all who may host something there.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize)]
pub(super) struct Session {
    /// Our view when it began. Ownership has been ours without a break since then.
    pub since: ViewVersion,
    pub spans: Spans,
    source: Source,
    /// Who has not said everything yet, and how far they are.
    asked: BTreeMap<SiloId, Page>,
    found: PointMap<Place>,
    tries: u32,
    /// When the unanswered are asked again.
    retry_at: Instant,
    /// Somebody knows this view, newer than `since`: what was found so far may be out of date.
    behind: Option<ViewVersion>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize)]
enum Source {
    /// The owner before us. What it does not know completely, we recover.
    Before { missing: Spans },
    /// All hosts. Those that are dead may run until `wait_until`.
    Hosts { wait_until: Instant },
}

impl Session {
    pub fn next_deadline(&self) -> Instant {
        match &self.source {
            _ if !self.asked.is_empty() => self.retry_at,
            Source::Hosts { wait_until } => *wait_until,
            Source::Before { .. } => Instant::ZERO,
        }
    }

    /// Who has not said everything yet.
    pub fn asked(&self) -> impl Iterator<Item = SiloId> {
        self.asked.keys().copied()
    }

    pub fn check(&self) {
        assert!(!self.spans.is_empty(), "a hand-over of nothing");
        assert!(self.found.iter().all(|(a, _)| self.spans.contains(a.point())), "an entry of another range");
    }

    fn is_complete(&self, now: Instant) -> bool {
        self.asked.is_empty()
            && match &self.source {
                Source::Before { .. } => true,
                Source::Hosts { wait_until } => *wait_until <= now,
            }
    }
}

impl Directory {
    /// Asks the owner before us.
    pub(super) fn start_transfer(
        &mut self,
        now: Instant,
        source: SiloId,
        spans: Spans,
        out: &mut Vec<Action>,
    ) {
        reached!("directory.transfer_started");
        let asked = BTreeMap::from([(source, Page::default())]);
        let source = Source::Before { missing: Spans::none() };
        self.begin(now, self.view.version, spans, source, asked, PointMap::default(), out);
    }

    /// Puts locked ranges into the next round of recovery.
    pub(super) fn recover_soon(&mut self, now: Instant, spans: Spans) {
        if spans.is_empty() {
            return;
        }
        if self.recover.is_empty() {
            // The dead's grace has to be waited for anyhow: until shortly before its end, more ranges may join.
            let useful = self.graces.last().map_or(now, |end| {
                Instant(end.0.saturating_sub(self.config.recovery_lead.as_nanos() as u64))
            });
            let collect = if self.sessions.is_empty() { now } else { now + self.config.collect };
            self.recover_at = useful.max(collect).max(self.next_round);
        }
        self.recover = self.recover.union(&spans);
        self.recover_since = self.view.version;
    }

    /// Asks everyone who may host something.
    ///
    /// A joining silo is not asked: it was not active in any view up to this one, so nobody has placed on it, and the
    /// owners of older views, which do not know it, never will.
    pub(super) fn start_recovery(&mut self, now: Instant, out: &mut Vec<Action>) {
        reached!("directory.recovery_started");
        let spans = std::mem::take(&mut self.recover);
        self.recover_at = Instant::NEVER;
        let hosts = self.view.alive().filter(|m| m.status != Status::Joining && m.id != self.me);
        let asked: BTreeMap<SiloId, Page> = hosts.map(|m| (m.id, Page::default())).collect();
        let wait_until = self.graces.last().unwrap_or(now);
        // Not the view of now: who lags behind it would have to read the table for nothing.
        let since = self.recover_since;
        self.hosted.sealed = self.hosted.sealed.max(since);
        self.next_round = now + self.config.question_every * asked.len() as u32;
        let mut found = PointMap::default();
        for (actor, registration) in self.hosted.chunk(&spans, None, usize::MAX).0 {
            found.insert(&actor, Place { silo: self.me, registration });
        }
        self.begin(now, since, spans, Source::Hosts { wait_until }, asked, found, out);
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of a session")]
    fn begin(
        &mut self,
        now: Instant,
        since: ViewVersion,
        spans: Spans,
        source: Source,
        asked: BTreeMap<SiloId, Page>,
        found: PointMap<Place>,
        out: &mut Vec<Action>,
    ) {
        self.requests += 1;
        let session = Session { since, spans, source, asked, found, tries: 0, retry_at: now, behind: None };
        self.sessions.insert(self.requests, session);
        self.ask_unanswered(now, self.requests, out);
    }

    /// Asks all who have not answered, and sets the time for asking them again.
    fn ask_unanswered(&mut self, now: Instant, request: u64, out: &mut Vec<Action>) {
        let Some(session) = self.sessions.get(&request) else { return };
        let tries = session.tries;
        for (silo, page) in &session.asked {
            self.send(*silo, self.way_to(*silo, tries), session.question(request, page), out);
        }
        let patience = self.patience(tries);
        let session = self.sessions.get_mut(&request).expect("it was there above");
        session.tries += 1;
        session.retry_at = now + patience;
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one message")]
    pub(super) fn transferred(
        &mut self,
        now: Instant,
        peer: Peer,
        request: u64,
        page: u32,
        entries: Vec<(ActorId, Place)>,
        missing: &Spans,
        more: bool,
        out: &mut Vec<Action>,
    ) {
        let Some(session) = self.sessions.get_mut(&request) else { return };
        let Source::Before { missing: all_missing } = &mut session.source else { return };
        if session.asked.get(&peer.silo).is_none_or(|p| p.number != page) {
            reached!("directory.page_duplicate");
            return;
        }
        *all_missing = all_missing.union(&missing.overlap(&session.spans));
        for (actor, place) in entries.iter().filter(|(a, _)| session.spans.contains(a.point())) {
            session.found.insert(actor, *place);
        }
        self.turn_page(now, peer, request, entries.into_iter().last().map(|e| e.0), more, out);
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one message")]
    pub(super) fn hosting_told(
        &mut self,
        now: Instant,
        peer: Peer,
        request: u64,
        page: u32,
        hosted: Vec<(ActorId, Registration)>,
        more: bool,
        out: &mut Vec<Action>,
    ) {
        let Some(session) = self.sessions.get_mut(&request) else { return };
        if !matches!(session.source, Source::Hosts { .. })
            || session.asked.get(&peer.silo).is_none_or(|p| p.number != page)
        {
            reached!("directory.page_duplicate");
            return;
        }
        let mut losers = Vec::new();
        for (actor, registration) in &hosted {
            if session.spans.contains(actor.point()) {
                losers.extend(session.find(actor, Place { silo: peer.silo, registration: *registration }));
            }
        }
        for (actor, lost) in losers {
            reached!("directory.conflict");
            if lost.silo == self.me {
                out.push(Action::Evict { actor, registration: lost.registration });
            } else {
                self.notices.evict(now, lost.silo, &actor, lost.registration);
            }
        }
        self.turn_page(now, peer, request, hosted.into_iter().last().map(|e| e.0), more, out);
    }

    /// Notes that a page came, and asks for the next one.
    fn turn_page(
        &mut self,
        now: Instant,
        peer: Peer,
        request: u64,
        last: Option<ActorId>,
        more: bool,
        out: &mut Vec<Action>,
    ) {
        let session = self.sessions.get_mut(&request).expect("the caller has found it");
        if !more {
            session.asked.remove(&peer.silo);
            return;
        }
        let page = session.asked.get_mut(&peer.silo).expect("the caller has found it");
        // A page that promises more and brings nothing would be asked for for ever: the retry asks again.
        let Some(last) = last else { return };
        page.number += 1;
        page.after = Some(last);
        let page = page.clone();
        // Progress is no reason to try detours: only silence is.
        session.tries = session.tries.min(1);
        session.retry_at = now + self.config.retry;
        self.answer(peer, self.sessions[&request].question(request, &page), out);
    }

    /// Somebody has given these points to, or was, an owner in a newer view than ours was at the start.
    pub(super) fn told_behind(
        &mut self,
        now: Instant,
        peer: Peer,
        request: u64,
        view: ViewVersion,
        out: &mut Vec<Action>,
    ) {
        let Some(session) = self.sessions.get_mut(&request) else { return };
        if !session.asked.contains_key(&peer.silo) || view <= session.since {
            return;
        }
        session.behind = session.behind.max(Some(view));
        if view > self.view.version {
            out.push(Action::ReadTable { at_least: view });
        } else {
            self.restart(now, request, out);
        }
    }

    /// Begins a hand-over anew, as of our view of now.
    fn restart(&mut self, now: Instant, request: u64, out: &mut Vec<Action>) {
        reached!("directory.handover_restarted");
        let session = self.sessions.remove(&request).expect("the caller has found it");
        let source = session.asked.into_keys().next();
        match (session.source, source) {
            (Source::Before { .. }, Some(source)) => self.start_transfer(now, source, session.spans, out),
            _ => self.recover_soon(now, session.spans),
        }
    }

    /// Ends the hand-over of ranges that another silo owns now, and expects no answer of those that are gone.
    pub(super) fn leave_sessions(&mut self, now: Instant, lost: &Spans, gone: &[SiloId]) {
        self.recover = self.recover.minus(lost);
        if self.recover.is_empty() {
            self.recover_at = Instant::NEVER;
        }
        let mut orphaned = Spans::none();
        let mut sessions = std::mem::take(&mut self.sessions);
        sessions.retain(|_, session| {
            if session.spans.meets(lost) {
                reached!("directory.handover_superseded");
                session.spans = session.spans.minus(lost);
                drop(session.found.extract(lost));
            }
            if session.spans.is_empty() {
                return false;
            }
            let dead: Vec<&SiloId> =
                gone.iter().filter(|silo| session.asked.remove(silo).is_some()).collect();
            if dead.is_empty() {
                return true;
            }
            reached!("directory.source_died");
            match &mut session.source {
                Source::Before { .. } => {
                    orphaned = orphaned.union(&session.spans);
                    false
                }
                // It has not said what it hosted: that has to end by itself.
                Source::Hosts { wait_until } => {
                    let graces = dead.iter().filter_map(|silo| self.graces.of(silo.name));
                    *wait_until = graces.max().map_or(*wait_until, |end| end.max(*wait_until));
                    true
                }
            }
        });
        self.sessions = sessions;
        self.recover_soon(now, orphaned);
    }

    /// Begins anew what waited for this view.
    pub(super) fn refresh_sessions(&mut self, now: Instant, out: &mut Vec<Action>) {
        let version = self.view.version;
        let behind = self.sessions.iter().filter(|(_, s)| s.behind.is_some_and(|view| view <= version));
        for request in behind.map(|(request, _)| *request).collect::<Vec<_>>() {
            self.restart(now, request, out);
        }
    }

    /// Opens what is complete and asks the silent again.
    pub(super) fn advance_sessions(&mut self, now: Instant, out: &mut Vec<Action>) {
        let complete = self.sessions.iter().filter(|(_, s)| s.behind.is_none() && s.is_complete(now));
        for request in complete.map(|(request, _)| *request).collect::<Vec<_>>() {
            let mut session = self.sessions.remove(&request).expect("just listed");
            if let Source::Before { missing } = &session.source
                && missing.meets(&session.spans)
            {
                reached!("directory.transfer_fell_back");
                // Some of what was missing then may be lost since.
                let missing = missing.overlap(&session.spans);
                drop(session.found.extract(&missing));
                session.spans = session.spans.minus(&missing);
                self.recover_soon(now, missing);
            }
            self.admit(session.found);
            self.open(session.spans, out);
        }
        if !self.recover.is_empty() && self.recover_at <= now {
            self.start_recovery(now, out);
        }
        let silent = self.sessions.iter().filter(|(_, s)| !s.asked.is_empty() && s.retry_at <= now);
        for request in silent.map(|(request, _)| *request).collect::<Vec<_>>() {
            self.ask_unanswered(now, request, out);
        }
    }

    /// Answers for these points from now on; their entries are in the table.
    pub(super) fn open(&mut self, spans: Spans, out: &mut Vec<Action>) {
        if spans.is_empty() {
            return;
        }
        self.open = self.open.union(&spans);
        self.settle_ended(&spans);
        out.push(Action::Unlocked { spans });
    }
}

impl Session {
    fn question(&self, request: u64, page: &Page) -> DirectoryMessage {
        let (since, spans, page) = (self.since, self.spans.clone(), page.clone());
        match self.source {
            Source::Before { .. } => DirectoryMessage::Transfer { request, since, spans, page },
            Source::Hosts { .. } => DirectoryMessage::Recover { request, since, spans, page },
        }
    }

    /// Notes an activation; when another silo claims the actor too, the one with the older placement.
    fn find(&mut self, actor: &ActorId, place: Place) -> Option<(ActorId, Place)> {
        let before = self.found.get(actor).copied();
        let (winner, loser) = match before {
            Some(before) if before.registration > place.registration => (before, Some(place)),
            before => (place, before),
        };
        self.found.insert(actor, winner);
        loser.filter(|loser| loser.silo != winner.silo).map(|loser| (actor.clone(), loser))
    }
}
