//! One watched peer: when it was last heard, which probe is out, and how far suspicion has grown.
//!
//! ```text
//! contact ─1 s─ probe ─0.5 s─ miss ─ probe ─0.5 s─ miss ─ probe ─0.5 s─ miss ─ ask others ─ suspected ─ ballot
//!                  └─0.25 s─ watch its lease row
//! ```
//! Any sign of life, direct or through another silo, goes back to the start. So does nothing else.

use super::config::{Config, with_margin};
use super::event::RequestId;
use super::message::Pulse;
use super::table::LeaseRow;
use crate::{Instant, SiloId, SiloName, Version, ViewVersion};
use std::collections::BTreeSet;
use std::time::Duration;

#[derive(Clone, Hash, Debug)]
pub(super) struct Target {
    pub(super) id: SiloId,
    /// Our place among its watchers; 0 acts first.
    pub(super) rank: u32,
    /// The last sign of life, or the first sight of it.
    pub(super) contact: Instant,
    /// The last sign of life that said that it serves, or the first sight of it.
    pub(super) served: Instant,
    pub(super) probe: Option<OutstandingProbe>,
    pub(super) misses: u32,
    pub(super) probe_at: Instant,
    pub(super) indirect: Indirect,
    /// Suspected, and to be put on a ballot from then on.
    pub(super) ballot_at: Option<Instant>,
    /// Ballots in vain since the suspicion arose.
    pub(super) ballots_lost: u32,
    /// The last ballot was won against an objection: whoever objects hears it, so the next has to be won as well.
    pub(super) contested: bool,
    pub(super) watch: Option<LeaseWatch>,
    pub(super) watch_read: WatchRead,
}

#[derive(Clone, Copy, Hash, Debug)]
pub(super) struct OutstandingProbe {
    pub(super) nonce: u64,
    pub(super) sent: Instant,
    /// The lease row has been asked for because this one is late.
    pub(super) late: bool,
}

/// Whether others have been asked to try.
#[derive(Clone, Hash, Debug)]
pub(super) enum Indirect {
    NotAsked,
    Asked { nonce: u64, until: Instant, waiting: BTreeSet<SiloName> },
    InVain,
}

/// Reading the peer's lease row.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum WatchRead {
    Idle,
    Asked { request: RequestId, sent: Instant },
    Done { at: Instant },
}

/// What is known of a peer's lease: while its row has this version, the lease from the store ends by `until`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct LeaseWatch {
    pub(super) row: Version,
    /// Whom the row lets it ask to vouch.
    pub(super) vouchers: Vouchers,
    /// Since when the row is known to have this version.
    pub(super) since: Instant,
    /// Our clock's bound on the lease, margin included.
    pub(super) until: Instant,
}

/// Who could vouch for a silo that cannot renew its lease row.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Vouchers {
    /// All we have is the peer's word, which tells the row's version only.
    Unknown,
    /// Nobody yet: it has not renewed its lease since it became active.
    Nobody,
    /// Those who held a lease in this version of the table.
    HoldersIn(ViewVersion),
}

impl Vouchers {
    fn named_by(row: &LeaseRow) -> Self {
        if row.is_first() { Self::Nobody } else { Self::HoldersIn(row.view) }
    }
}

impl Target {
    pub(super) fn first_seen(now: Instant, id: SiloId, rank: u32, probe_at: Instant) -> Self {
        Self {
            id,
            rank,
            contact: now,
            served: now,
            probe: None,
            misses: 0,
            probe_at,
            indirect: Indirect::NotAsked,
            ballot_at: None,
            ballots_lost: 0,
            contested: false,
            watch: None,
            watch_read: WatchRead::Idle,
        }
    }

    /// A sign of life.
    pub(super) fn heard(&mut self, now: Instant, pulse: &Pulse, config: &Config) {
        self.contact = now;
        self.probe = None;
        self.misses = 0;
        self.probe_at = now + config.probe_every;
        self.indirect = Indirect::NotAsked;
        if pulse.serving {
            self.served = now;
        }
        if !self.is_leaseless(now, config) && !crate::mutant!("m17") {
            self.ballot_at = None;
            self.ballots_lost = 0;
            self.contested = false;
            self.watch_read = WatchRead::Idle;
        }
        if let Some((row, runs)) = pulse.lease {
            self.learn(LeaseWatch {
                row,
                vouchers: Vouchers::Unknown,
                since: now,
                until: now + with_margin(runs),
            });
        }
    }

    /// The lease row was read, and the reading came back now.
    pub(super) fn lease_read(&mut self, now: Instant, lease: &LeaseRow, row: Version, config: &Config) {
        let mut news = LeaseWatch {
            row,
            vouchers: Vouchers::named_by(lease),
            since: now,
            until: now + with_margin(config.lease),
        };
        if let (Some(known), WatchRead::Asked { sent, .. }) = (self.watch, self.watch_read)
            && row < known.row
            && known.since <= sent
        {
            // It had a newer row before we asked: the store went back in time. An eviction has to check the row that is
            // there, and to wait for the lease that was lost with the other one.
            crate::reached!("membership.watch.row_went_back");
            news.until = news.until.max(known.until);
            self.watch = None;
        }
        self.learn(news);
        self.watch_read = WatchRead::Done { at: now };
    }

    fn learn(&mut self, news: LeaseWatch) {
        match &mut self.watch {
            Some(known) if known.row > news.row => {}
            Some(known) if known.row == news.row && !crate::mutant!("m54") => {
                // Two bounds on one lease: both hold, so the nearer one does.
                known.until = known.until.min(news.until);
                if known.vouchers == Vouchers::Unknown {
                    known.vouchers = news.vouchers;
                }
            }
            known => *known = Some(news),
        }
    }

    /// Whether it lives but has served nobody for so long that its actors are better off elsewhere.
    pub(super) fn is_leaseless(&self, now: Instant, config: &Config) -> bool {
        now.since(self.served) >= config.leaseless_max && now.since(self.contact) < config.leaseless_max
    }

    /// Whether it has been silent for long enough to ask others.
    pub(super) fn is_silent(&self, now: Instant, config: &Config) -> bool {
        self.misses >= config.misses_max && now.since(self.contact) >= config.silence_min
    }

    /// Becomes suspected: those who watch it act one after the other, in the order of their ranks.
    pub(super) fn suspect(&mut self, now: Instant) {
        if self.ballot_at.is_none() && !crate::mutant!("m48") {
            self.ballot_at = Some(now + RANK_DELAY * self.rank);
        }
    }

    /// Whether it is to be put on a ballot by now.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.ballot_at.is_some_and(|at| now >= at)
    }

    /// Whether its lease row is being read.
    pub(super) fn is_being_read(&self) -> bool {
        matches!(self.watch_read, WatchRead::Asked { .. })
    }

    /// A ballot was lost, or its commit was: again, after a while.
    pub(super) fn ballot_lost(&mut self, now: Instant) {
        self.ballots_lost += 1;
        self.watch_read = WatchRead::Idle;
        self.ballot_at = Some(now + RETRY_DELAY * self.ballots_lost.min(RETRY_DELAYS_MAX));
    }

    /// When something is due here. Of a joining silo, others are not asked; whether it is one is looked up only if it matters,
    /// for this is asked at every message.
    pub(super) fn next_deadline(&self, is_joining: impl FnOnce() -> bool, config: &Config) -> Instant {
        let probe = match self.probe {
            Some(probe) if !probe.late => probe.sent + config.watch_after,
            Some(probe) => probe.sent + config.probe_timeout,
            None => self.probe_at,
        };
        let indirect = match self.indirect {
            Indirect::Asked { until, .. } => until,
            _ => Instant::NEVER,
        };
        let silent_long_enough = match self.indirect {
            Indirect::NotAsked if self.misses >= config.misses_max && !is_joining() => {
                self.contact + config.silence_min
            }
            _ => Instant::NEVER,
        };
        probe.min(indirect).min(silent_long_enough)
    }
}

const RANK_DELAY: Duration = Duration::from_millis(500);
const RETRY_DELAY: Duration = Duration::from_millis(500);
const RETRY_DELAYS_MAX: u32 = 6;
