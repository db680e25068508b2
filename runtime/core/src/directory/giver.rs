//! The giver's part: entries of ranges that another silo owns now, kept until that one asks.
//!
//! The right to answer for a point is a *token*. Whoever has a point open holds its token; losing the point keeps it,
//! handing over the last page gives it away, and answering a recovery destroys it. It is given at most once, which is
//! why no two silos ever open one point from a hand-over.

use super::core::{Action, Directory, Peer};
use super::message::{DirectoryMessage, Page};
use super::span::Spans;
use super::token::{Given, Token};
use crate::{Instant, SiloId, ViewVersion, reached};

impl Directory {
    /// Whether nobody needs this silo any more: it hosts nothing, every owner knows so, and no range waits for its
    /// next owner. What an orderly leave waits for, with a time limit of its own.
    ///
    /// The last silo has nobody to tell and nobody to wait for.
    pub fn is_drained(&self) -> bool {
        let waited_for = !self.notices.is_empty() || self.tokens.has_ungiven();
        self.stopped || (self.hosted.is_empty() && (self.actives.is_empty() || !waited_for))
    }

    /// Closes lost ranges, and keeps what was open for the next owner.
    pub(super) fn release(&mut self, lost: &Spans, owned_until: ViewVersion) {
        let spans = self.open.overlap(lost);
        if spans.is_empty() {
            return;
        }
        self.open = self.open.minus(&spans);
        let entries = self.table.extract(&spans);
        // A deliberate bug: the range goes, and what stood in it is registered anew by whoever needs it.
        if !crate::mutant!("m62") {
            self.released.append(entries);
        }
        self.tokens.push(Token { spans, owned_until, given: None });
    }

    /// Takes back what is ours again and was not given away meanwhile.
    pub(super) fn reclaim(&mut self, gained: &Spans) -> Spans {
        if !self.tokens.spans().meets(gained) {
            return Spans::none();
        }
        let mut kept = Spans::none();
        let mut stale = Spans::none();
        self.tokens.change(|tokens| {
            for token in tokens {
                let part = token.spans.overlap(gained);
                token.spans = token.spans.minus(&part);
                match token.given {
                    None => kept = kept.union(&part),
                    Some(_) => stale = stale.union(&part),
                }
            }
        });
        drop(self.released.extract(&stale));
        let entries = self.released.extract(&kept);
        self.admit(entries);
        kept
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one message")]
    pub(super) fn transfer_asked(
        &mut self,
        now: Instant,
        peer: Peer,
        request: u64,
        since: ViewVersion,
        spans: &Spans,
        page: &Page,
        out: &mut Vec<Action>,
    ) {
        if let Some(view) = self.newer_than(since, spans) {
            return self.answer_behind(peer, request, view, since, out);
        }
        let keep_until = now + self.config.given_keep;
        let held = self.tokens.change(|tokens| {
            let mut held = Spans::none();
            for token in tokens {
                match &mut token.given {
                    None => held = held.union(&token.spans.overlap(spans)),
                    Some(given) if given.to == peer.silo && given.request == request => {
                        given.keep_until = keep_until;
                        held = held.union(&token.spans.overlap(spans));
                    }
                    Some(_) => {}
                }
            }
            held
        });
        let missing = spans.minus(&held);
        if !missing.is_empty() {
            reached!("directory.transfer_incomplete");
        }
        let (entries, more) = self.released.chunk(&held, page.after.as_ref(), self.config.chunk_entries_max);
        if !more {
            self.give(now, peer.silo, request, since, &held);
        }
        let answer = DirectoryMessage::Transferred { request, page: page.number, entries, missing, more };
        self.answer(peer, answer, out);
    }

    pub(super) fn recovery_asked(
        &mut self,
        peer: Peer,
        request: u64,
        since: ViewVersion,
        spans: &Spans,
        page: &Page,
        out: &mut Vec<Action>,
    ) {
        if let Some(view) = self.newer_than(since, spans) {
            return self.answer_behind(peer, request, view, since, out);
        }
        // From here on the requester answers for these points, whatever becomes of it.
        if self.tokens.spans().meets(spans) {
            self.tokens.destroy(spans);
            drop(self.released.extract(spans));
        }
        self.hosted.sealed = self.hosted.sealed.max(since);
        let (hosted, more) = self.hosted.chunk(spans, page.after.as_ref(), self.config.chunk_entries_max);
        self.answer(peer, DirectoryMessage::Hosting { request, page: page.number, hosted, more }, out);
    }

    /// A view, newer than the requester's, whose owner we have been or have answered for some of these points.
    ///
    /// Answering the requester as well would let two silos open one point.
    fn newer_than(&self, since: ViewVersion, spans: &Spans) -> Option<ViewVersion> {
        if self.owned.meets(spans) {
            return Some(self.view.version);
        }
        if self.tokens.spans().meets(spans) {
            let mut kept = self.tokens.iter().filter(|t| t.given.is_none() && t.owned_until >= since);
            if kept.any(|t| t.spans.meets(spans)) {
                return Some(self.view.version);
            }
        }
        let given = self.given.iter().filter(|(view, _)| *view > since);
        given.filter(|(_, part)| part.meets(spans)).map(|(view, _)| *view).max()
    }

    fn answer_behind(
        &self,
        peer: Peer,
        request: u64,
        view: ViewVersion,
        since: ViewVersion,
        out: &mut Vec<Action>,
    ) {
        // Two owners in one view would mean two rings of one view: nothing sensible can be said to that.
        if view > since {
            reached!("directory.requester_behind");
            self.answer(peer, DirectoryMessage::Behind { request, view }, out);
        }
    }

    fn give(&mut self, now: Instant, to: SiloId, request: u64, since: ViewVersion, spans: &Spans) {
        let keep_until = now + self.config.given_keep;
        let given = &mut self.given;
        self.tokens.change(|tokens| {
            let mut new = Vec::new();
            for token in tokens.iter_mut().filter(|t| t.given.is_none()) {
                let part = token.spans.overlap(spans);
                if part.is_empty() {
                    continue;
                }
                token.spans = token.spans.minus(&part);
                given.push((since, part.clone()));
                let given = Some(Given { to, request, keep_until });
                new.push(Token { spans: part, owned_until: token.owned_until, given });
            }
            tokens.append(&mut new);
        });
        if self.given.len() > GIVEN_MAX {
            // Forgetting who got what means refusing more: the later view of the two counts for both.
            let (old, next) = (self.given.remove(0), &mut self.given[0]);
            *next = (old.0.max(next.0), old.1.union(&next.1));
        }
    }

    pub(super) fn expire_tokens(&mut self, now: Instant) {
        for token in self.tokens.expire(now) {
            drop(self.released.extract(&token.spans));
        }
    }
}

/// Hand-overs remembered one by one.
const GIVEN_MAX: usize = 256;
