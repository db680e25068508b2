//! What is known of one shard: its earliest rows, and where the unread ones begin.

use super::config::Config;
use super::event::{RequestId, ScannedRows};
use super::index::{IndexRow, RowKey, StoredRow, ms_of};
use crate::{Instant, Version, WallTime, reached};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A row that has not been fired since it was read, or waits to be fired again.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub row: IndexRow,
    pub version: Version,
    /// Failures in a row.
    pub tries: u32,
    /// The row was read in another version while it was under way: it has been written anew.
    pub is_rewritten: bool,
}

/// What is, or has to be, done with a row.
#[derive(Clone, Debug)]
pub(super) enum Work {
    /// Its actor is asked.
    Fire(Waiting),
    /// Its actor has answered, and the index is told.
    Move(Waiting, Option<WallTime>),
}

/// A read on its way.
#[derive(Clone, Debug)]
struct Scan {
    request: RequestId,
    from: RowKey,
    room: usize,
    /// Rows from here on may have been written since, and have to be read again.
    lowered: Option<RowKey>,
}

/// One owned shard.
///
/// Every index row before `cursor` is in one of the three maps, but for those forgotten on purpose, which the next
/// re-reading finds. There is no row from `cursor` on that is due before `beyond_ms` and not in memory.
#[derive(Clone, Debug)]
pub(super) struct Window {
    waiting: BTreeMap<RowKey, Waiting>,
    /// When the first of `waiting` is due, kept beside it: every shard is asked for it at every answer.
    first_due: Option<WallTime>,
    active: BTreeMap<RowKey, Work>,
    stuck: BTreeMap<RowKey, (Instant, Work)>,
    /// The keys of `stuck` by the time of their next try.
    retries: BTreeSet<(Instant, RowKey)>,
    /// `None` when everything has been read.
    cursor: Option<RowKey>,
    beyond_ms: u64,
    scan: Option<Scan>,
    scan_tries: u32,
    scan_at: Instant,
    /// A read is wanted, and there is no room for what it would find until some of this is done.
    is_full: bool,
    recheck_at: Instant,
}

impl Window {
    /// A shard of which nothing is known.
    pub fn new(now: Instant, config: &Config) -> Self {
        Self {
            waiting: BTreeMap::new(),
            first_due: None,
            active: BTreeMap::new(),
            stuck: BTreeMap::new(),
            retries: BTreeSet::new(),
            cursor: Some(RowKey::START),
            beyond_ms: 0,
            scan: None,
            scan_tries: 0,
            scan_at: Instant::ZERO,
            is_full: false,
            recheck_at: now.after(config.recheck_every),
        }
    }

    /// There may be rows from here on that are not known.
    pub fn look_again(&mut self, from: RowKey) {
        if let Some(scan) = &mut self.scan {
            scan.lowered = Some(scan.lowered.map_or(from, |lowered| lowered.min(from)));
        }
        self.beyond_ms = if self.cursor.is_some() { self.beyond_ms.min(from.due_ms) } else { from.due_ms };
        self.cursor = Some(self.cursor.map_or(from, |cursor| cursor.min(from)));
    }

    /// Begins again from the start when it is time to.
    pub fn recheck(&mut self, now: Instant, config: &Config) {
        if self.recheck_at <= now {
            reached!("reminder.rechecked");
            self.recheck_at = now.after(config.recheck_every);
            self.look_again(RowKey::START);
        }
    }

    /// The next read, if one is due and there is room for what it finds: from where, and at most how many rows.
    pub fn start_scan(
        &mut self,
        now: Instant,
        wall: WallTime,
        config: &Config,
        request: impl FnOnce() -> RequestId,
    ) -> Option<(RequestId, RowKey, usize)> {
        self.is_full = false;
        let from = self.cursor.filter(|_| self.scan.is_none() && self.scan_at <= now)?;
        if self.beyond_ms > ms_of(read_until(wall, config)) {
            return None;
        }
        self.make_room(from, config.window_rows_max / 2);
        let room = config.window_rows_max.saturating_sub(self.len());
        if room < config.window_rows_max / 4 {
            self.is_full = true;
            return None;
        }
        let request = request();
        self.scan = Some(Scan { request, from, room, lowered: None });
        // One more than there is room for, to know when the rest begins.
        Some((request, from, room + 1))
    }

    /// Forgets the latest rows of those that the next read meets again.
    fn make_room(&mut self, from: RowKey, rows_max: usize) {
        while self.len() > rows_max
            && let Some(last) = self.waiting.last_entry()
            && *last.key() >= from
        {
            last.remove();
        }
        self.note_first();
    }

    /// To be called after every change of `waiting`.
    fn note_first(&mut self) {
        self.first_due = self.waiting.first_key_value().map(|(_, first)| first.row.due);
    }

    /// Takes in what was read. `false` if this is no answer to the read on its way.
    pub fn scanned(&mut self, request: RequestId, found: ScannedRows) -> bool {
        let Some(scan) = self.scan.take_if(|scan| scan.request == request) else { return false };
        let mut rows = found.rows;
        rows.retain(|stored| stored.key >= scan.from);
        rows.sort_by_key(|stored| stored.key);
        let end = match rows.get(scan.room) {
            Some(next) => Some(next.key),
            None if found.more => Some(rows.last().map_or(scan.from, |last| last.key.after())),
            None => None,
        };
        for stored in rows.into_iter().take(scan.room) {
            self.learn(stored);
        }
        self.cursor = end;
        self.beyond_ms = end.map_or(u64::MAX, |end| end.due_ms);
        if let Some(lowered) = scan.lowered {
            reached!("reminder.written_while_read");
            self.look_again(lowered);
        }
        (self.scan_tries, self.scan_at) = (0, Instant::ZERO);
        true
    }

    /// A read has failed.
    pub fn scan_failed(&mut self, request: RequestId, now: Instant, back_off: impl FnOnce(u32) -> Duration) {
        if self.scan.take_if(|scan| scan.request == request).is_some() {
            self.scan_at = now.after(back_off(self.scan_tries));
            self.scan_tries += 1;
        }
    }

    fn learn(&mut self, stored: StoredRow) {
        let key = stored.key;
        let stuck = self.stuck.get_mut(&key).map(|(_, work)| work);
        if let Some(Work::Fire(known) | Work::Move(known, _)) = self.active.get_mut(&key).or(stuck) {
            // What is under way goes by what it has read. If the row has been rewritten, its move meets a conflict, or
            // has been done before, in which case this is a new row that has to be read again afterwards.
            known.is_rewritten |= known.version != stored.version;
            return;
        }
        self.waiting
            .insert(key, Waiting { row: stored.row, version: stored.version, tries: 0, is_rewritten: false });
        self.note_first();
    }

    /// The next thing to do with a row: what failed and may be tried again, then what is due, by due time.
    pub fn next_work(&mut self, now: Instant, wall: WallTime, has_token: bool) -> Option<(RowKey, Work)> {
        self.put_back(now, wall);
        if let Some((at, key)) = self.retries.first().copied()
            && at <= now
        {
            let (_, work) = self.stuck.get(&key).expect("a retry is of something stuck");
            if has_token || matches!(work, Work::Move(..)) {
                return Some((key, self.take_retry(key)));
            }
        }
        if !has_token || self.first_due? > wall {
            return None;
        }
        let (key, first) = self.waiting.pop_first().expect("it has a due time");
        self.note_first();
        Some((key, Work::Fire(first)))
    }

    /// The wall clock was set back since these were fired: they wait for their time like all others.
    fn put_back(&mut self, now: Instant, wall: WallTime) {
        while let Some((at, key)) = self.retries.first().copied()
            && at <= now
            && let Some((_, Work::Fire(waiting))) = self.stuck.get(&key)
            && waiting.row.due > wall
        {
            reached!("reminder.retry_before_its_time");
            let Work::Fire(waiting) = self.take_retry(key) else { unreachable!("just looked") };
            self.waiting.insert(key, waiting);
            self.note_first();
        }
    }

    fn take_retry(&mut self, key: RowKey) -> Work {
        let (at, work) = self.stuck.remove(&key).expect("a retry is of something stuck");
        assert!(self.retries.remove(&(at, key)), "something stuck has a time for its next try");
        work
    }

    /// It is under way.
    pub fn set_active(&mut self, key: RowKey, work: Work) {
        let was = self.active.insert(key, work);
        assert!(was.is_none(), "{key} is under way twice");
    }

    /// Its answer has come.
    pub fn take_active(&mut self, key: RowKey) -> Work {
        self.active.remove(&key).expect("an answer is of something under way")
    }

    /// It has failed, and is tried again at `at`; or found again by a later reading, when too much is stuck.
    pub fn set_stuck(&mut self, key: RowKey, work: Work, at: Instant, now: Instant, config: &Config) {
        if self.stuck.len() >= config.window_rows_max / 2 {
            reached!("reminder.stuck_forgotten");
            self.recheck_at = self.recheck_at.min(now.after(config.retry_max));
            return;
        }
        // What a reading found meanwhile is the same row.
        self.waiting.remove(&key);
        self.note_first();
        self.stuck.insert(key, (at, work));
        self.retries.insert((at, key));
    }

    /// A row has been put by a move.
    pub fn moved(&mut self, row: IndexRow, version: Version, config: &Config) {
        let key = row.key();
        let is_read = self.cursor.is_none_or(|cursor| key < cursor);
        if is_read && self.len() < config.window_rows_max {
            self.learn(StoredRow { key, row, version });
        } else {
            self.look_again(key);
        }
    }

    /// When there is something to do, as far as the wall clock and the monotonic one say; what is blocked by a full
    /// window or by too much under way is not counted: an answer will come first.
    pub fn deadlines(
        &self,
        now: Instant,
        config: &Config,
        at_wall: impl Fn(WallTime) -> Instant + Copy,
    ) -> Deadlines {
        let mut read = self.recheck_at;
        if self.cursor.is_some() && self.scan.is_none() && !self.is_full {
            let ahead_ms = u64::try_from(config.read_ahead.as_millis()).unwrap_or(u64::MAX);
            let wall_ms = self.beyond_ms.saturating_sub(ahead_ms);
            let due = at_wall(WallTime(i64::try_from(wall_ms.saturating_mul(1_000_000)).unwrap_or(i64::MAX)));
            read = read.min(due.max(self.scan_at).max(now));
        }
        let first = self.first_due.map(at_wall);
        let retry = self.retries.first().map(|(at, _)| *at);
        Deadlines { read, work: [first, retry].into_iter().flatten().min() }
    }

    /// How many rows are in memory.
    pub fn len(&self) -> usize {
        self.waiting.len() + self.active.len() + self.stuck.len()
    }

    pub fn waiting_len(&self) -> usize {
        self.waiting.len()
    }

    pub fn stuck_len(&self) -> usize {
        self.stuck.len()
    }

    pub fn active_keys(&self) -> impl Iterator<Item = &RowKey> {
        self.active.keys()
    }

    pub fn is_scanning(&self, request: RequestId) -> bool {
        self.scan.as_ref().is_some_and(|scan| scan.request == request)
    }

    /// The due time of the earliest row that nobody has answered for.
    pub fn oldest(&self) -> Option<WallTime> {
        let waiting = self.first_due;
        let under_way = self.active.values().chain(self.stuck.values().map(|(_, work)| work));
        let fired = under_way.filter_map(|work| match work {
            Work::Fire(waiting) => Some(waiting.row.due),
            Work::Move(..) => None,
        });
        fired.chain(waiting).min()
    }

    /// Panics: when what must hold between two steps does not.
    pub fn check(&self, config: &Config) {
        // A scan that comes back may find what was moved in meanwhile; both were within the limit.
        assert!(self.len() <= 2 * config.window_rows_max, "{} rows in one window", self.len());
        assert!(self.stuck.len() <= config.window_rows_max / 2, "too much is stuck");
        assert_eq!(self.stuck.len(), self.retries.len(), "something stuck has no time for its next try");
        for (at, key) in &self.retries {
            assert_eq!(self.stuck.get(key).map(|(at, _)| at), Some(at), "a retry of nothing");
        }
        let first = self.waiting.values().next().map(|first| first.row.due);
        assert_eq!(self.first_due, first, "the first of those that wait is not the one noted");
        for key in self.waiting.keys() {
            assert!(!self.active.contains_key(key), "{key} is under way and waiting");
            assert!(!self.stuck.contains_key(key), "{key} is stuck and waiting");
        }
        for key in self.active.keys() {
            assert!(!self.stuck.contains_key(key), "{key} is under way and stuck");
        }
        assert!(self.cursor.is_some() || self.beyond_ms == u64::MAX, "there is nothing beyond the end");
    }
}

/// When a window has something to do.
pub(super) struct Deadlines {
    /// To read the index.
    pub read: Instant,
    /// To fire or move, if that is not blocked.
    pub work: Option<Instant>,
}

/// Rows due by then are wanted in memory.
fn read_until(wall: WallTime, config: &Config) -> WallTime {
    let ahead_ns = i64::try_from(config.read_ahead.as_nanos()).unwrap_or(i64::MAX);
    WallTime(wall.0.saturating_add(ahead_ns))
}
