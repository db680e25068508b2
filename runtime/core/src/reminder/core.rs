//! The core: what happens, what is due, and what has to be done.

use super::bucket::Bucket;
use super::config::Config;
use super::event::{Action, Answer, Input, MoveError, RequestId, ScanFailed, ScannedRows};
use super::index::{RowKey, Shard};
use super::window::{Waiting, Window, Work};
use crate::{Instant, Version, WallTime, hash, reached};
use std::collections::BTreeMap;
use std::time::Duration;

/// Fires the reminders of the shards that one silo owns.
///
/// Drive it from one place: after every step, perform the actions in order, and call [`step`](Self::step) with
/// [`Input::Tick`] when [`next_deadline`](Self::next_deadline) has come.
///
/// ```
/// use quark_core::reminder::{Action, Config, Input, Reminders, Shard};
/// use quark_core::{Instant, WallTime};
///
/// let mut reminders = Reminders::new(Config::default(), 7);
/// let mut actions = Vec::new();
/// let shards = Shard::all().take(1).collect();
/// reminders.step(Instant::ZERO, WallTime(0), Input::Owned { shards }, &mut actions);
/// // A shard that is new to this silo is read from its beginning.
/// assert!(matches!(actions[..], [Action::Scan { .. }]));
/// ```
#[derive(Clone, Debug)]
pub struct Reminders {
    config: Config,
    now: Instant,
    wall: WallTime,
    windows: BTreeMap<Shard, Window>,
    /// What is fired or moved and not answered.
    under_way: BTreeMap<RequestId, (Shard, RowKey)>,
    bucket: Bucket,
    /// The shard whose turn is next.
    turn: u8,
    requests: u64,
    seed: u64,
    counts: Counts,
}

/// What a silo's reminders are doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Shards owned.
    pub shards: usize,
    /// Rows in memory that have not been fired.
    pub waiting: usize,
    /// Rows fired or being moved, and not answered.
    pub in_flight: usize,
    /// Rows that have failed and are tried again.
    pub retrying: usize,
    /// How long the oldest row that nobody has answered for is overdue.
    pub oldest_overdue: Duration,
    /// Calls made since the start, repeated ones included.
    pub fired: u64,
    /// Of those, answered.
    pub advanced: u64,
    /// Calls and moves that have failed since the start.
    pub failed: u64,
}

impl Reminders {
    /// A silo that owns nothing. `seed` spreads retries that would otherwise come at the same moment on all silos.
    ///
    /// Panics: if the configuration contradicts itself.
    pub fn new(config: Config, seed: u64) -> Self {
        config.check();
        Self {
            bucket: Bucket::new(config.fires_per_second, config.burst),
            config,
            now: Instant::ZERO,
            wall: WallTime(0),
            windows: BTreeMap::new(),
            under_way: BTreeMap::new(),
            turn: 0,
            requests: 0,
            seed,
            counts: Counts::default(),
        }
    }

    /// Takes what happened and appends what is to be done.
    ///
    /// `now` that goes back is taken as no progress; `wall` may do what it likes, and decides alone what is due.
    pub fn step(&mut self, now: Instant, wall: WallTime, input: Input, out: &mut Vec<Action>) {
        self.now = self.now.max(now);
        self.wall = wall;
        self.bucket.fill(self.now);
        match input {
            Input::Owned { shards } => self.owned(&shards),
            Input::Registered { shard, due, message } => self.registered(shard, due, message, out),
            Input::Scanned { request, result } => self.scanned(request, result),
            Input::FireAnswered { request, answer } => self.fire_answered(request, answer, out),
            Input::RowMoved { request, result } => self.row_moved(request, result),
            Input::Tick => {}
        }
        self.read(out);
        self.work(out);
    }

    /// When [`Input::Tick`] is due at the latest, if ever. Reckoned from the clocks of the last step.
    pub fn next_deadline(&self) -> Option<Instant> {
        let recheck_ns = u64::try_from(self.config.wall_recheck.as_nanos()).unwrap_or(u64::MAX);
        let at_wall = |due: WallTime| {
            let ahead_ns = u64::try_from(due.0.saturating_sub(self.wall.0)).unwrap_or(0);
            Instant(self.now.0.saturating_add(ahead_ns.min(recheck_ns)))
        };
        let is_blocked = self.under_way.len() >= self.config.in_flight_max;
        let token_at = if self.bucket.has_token() { self.now } else { self.bucket.ready_at() };
        let mut next = Instant::NEVER;
        for window in self.windows.values() {
            let found = window.deadlines(self.now, &self.config, at_wall);
            next = next.min(found.read);
            if let Some(work) = found.work.filter(|_| !is_blocked) {
                next = next.min(work.max(token_at));
            }
        }
        (next != Instant::NEVER).then_some(next)
    }

    /// What is going on.
    pub fn counts(&self) -> Counts {
        let oldest = self.windows.values().filter_map(Window::oldest).min();
        let overdue_ns = oldest.map_or(0, |due| i128::from(self.wall.0) - i128::from(due.0));
        Counts {
            shards: self.windows.len(),
            waiting: self.windows.values().map(Window::waiting_len).sum(),
            in_flight: self.under_way.len(),
            retrying: self.windows.values().map(Window::stuck_len).sum(),
            oldest_overdue: Duration::from_nanos(u64::try_from(overdue_ns).unwrap_or(0)),
            ..self.counts
        }
    }

    /// Panics: when what must hold between any two steps does not. Takes time for all that is in memory.
    pub fn check(&self) {
        self.bucket.check();
        assert!(self.under_way.len() <= self.config.in_flight_max, "too much is under way");
        for window in self.windows.values() {
            window.check(&self.config);
        }
        let mut active: Vec<(Shard, RowKey)> = self.under_way.values().copied().collect();
        active.sort_unstable();
        let of_windows = self.windows.iter().flat_map(|(s, w)| w.active_keys().map(|key| (*s, *key)));
        assert!(of_windows.eq(active), "what is under way belongs to an owned shard, once");
    }

    fn owned(&mut self, shards: &[Shard]) {
        self.windows.retain(|shard, _| shards.contains(shard));
        let before = self.under_way.len();
        // The new owner finds their rows; what they answer here is nobody's business any more.
        self.under_way.retain(|_, (shard, _)| shards.contains(shard));
        if self.under_way.len() < before {
            reached!("reminder.lost_while_under_way");
        }
        for shard in shards {
            let window = self.windows.entry(*shard).or_insert_with(|| Window::new(self.now, &self.config));
            // Also one that we had: in a view that we never saw, another silo may have owned it, and have acknowledged
            // registrations that nobody will repeat.
            window.look_again(RowKey::START);
        }
    }

    fn registered(&mut self, shard: Shard, due: WallTime, message: u64, out: &mut Vec<Action>) {
        // Another silo's, or not ours yet: no answer makes the sender ask again, there or here.
        let Some(window) = self.windows.get_mut(&shard) else { return };
        window.look_again(RowKey::first_at(due));
        out.push(Action::Acknowledge { message });
    }

    fn scanned(&mut self, request: RequestId, result: Result<ScannedRows, ScanFailed>) {
        let drawn = self.draw();
        let Some(window) = self.windows.values_mut().find(|w| w.is_scanning(request)) else { return };
        match result {
            // More, and yet nothing: to believe it would be to ask for ever.
            Ok(found) if !found.more || !found.rows.is_empty() => {
                window.scanned(request, found);
            }
            _ => {
                reached!("reminder.scan_failed");
                window.scan_failed(request, self.now, |tries| self.config.back_off(tries, drawn));
            }
        }
    }

    fn fire_answered(&mut self, request: RequestId, answer: Answer, out: &mut Vec<Action>) {
        let Some((shard, key, work)) = self.take_answered(request) else { return };
        let Work::Fire(waiting) = work else { unreachable!("a move is not answered by an actor") };
        match answer {
            Answer::Advanced { next } => {
                self.counts.advanced += 1;
                self.start(shard, key, Work::Move(Waiting { tries: 0, ..waiting }, next), out);
            }
            Answer::Failed => {
                reached!("reminder.fire_failed");
                let tries = waiting.tries + 1;
                self.retry(shard, key, Work::Fire(Waiting { tries, ..waiting }), tries);
            }
        }
    }

    fn row_moved(&mut self, request: RequestId, result: Result<Version, MoveError>) {
        let Some((shard, key, work)) = self.take_answered(request) else { return };
        let Work::Move(waiting, next) = work else { unreachable!("a fire is not answered by the store") };
        let window = self.windows.get_mut(&shard).expect("what is under way is of an owned shard");
        match result {
            Ok(version) => {
                if waiting.is_rewritten {
                    reached!("reminder.rewritten_while_moved");
                    window.look_again(key);
                }
                if let Some(due) = next {
                    window.moved(waiting.row.due_at(due), version, &self.config);
                }
            }
            Err(MoveError::Conflict) => {
                // Moved already by us or another owner, or written anew: whatever is there now will be read.
                reached!("reminder.move_conflict");
                let next = next.map(|due| waiting.row.due_at(due).key());
                window.look_again(next.map_or(key, |next| next.min(key)));
            }
            Err(MoveError::Unavailable) => {
                reached!("reminder.move_failed");
                let tries = waiting.tries + 1;
                self.retry(shard, key, Work::Move(Waiting { tries, ..waiting }, next), tries);
            }
        }
    }

    fn take_answered(&mut self, request: RequestId) -> Option<(Shard, RowKey, Work)> {
        // maybe: of a shard that was lost since.
        let (shard, key) = self.under_way.remove(&request)?;
        let window = self.windows.get_mut(&shard).expect("what is under way is of an owned shard");
        Some((shard, key, window.take_active(key)))
    }

    fn retry(&mut self, shard: Shard, key: RowKey, work: Work, tries: u32) {
        self.counts.failed += 1;
        let drawn = self.draw();
        let at = self.now.after(self.config.back_off(tries - 1, drawn));
        let window = self.windows.get_mut(&shard).expect("what is under way is of an owned shard");
        window.set_stuck(key, work, at, self.now, &self.config);
    }

    /// Starts the reads that are due.
    fn read(&mut self, out: &mut Vec<Action>) {
        for (shard, window) in &mut self.windows {
            window.recheck(self.now, &self.config);
            let number = || {
                self.requests += 1;
                RequestId(self.requests)
            };
            if let Some((request, from, limit)) = window.start_scan(self.now, self.wall, &self.config, number)
            {
                out.push(Action::Scan { request, shard: *shard, from, limit });
            }
        }
    }

    /// Fires and moves what may be, one of each shard in turn.
    fn work(&mut self, out: &mut Vec<Action>) {
        while self.under_way.len() < self.config.in_flight_max {
            let Some((shard, key, work)) = self.next_work() else { return };
            if matches!(work, Work::Fire(_)) {
                self.bucket.take();
                self.counts.fired += 1;
            }
            self.start(shard, key, work, out);
        }
    }

    /// What the first shard that has something to do, from the one whose turn it is, has to do.
    fn next_work(&mut self) -> Option<(Shard, RowKey, Work)> {
        let (now, wall, has_token) = (self.now, self.wall, self.bucket.has_token());
        let from = Shard::new(self.turn).expect("a turn is a shard's number");
        let look = |(shard, window): (&Shard, &mut Window)| {
            window.next_work(now, wall, has_token).map(|(key, work)| (*shard, key, work))
        };
        // One walk along the map: this is done for every answer, and nearly always nothing is found.
        let found = self.windows.range_mut(from..).find_map(look);
        let found = found.or_else(|| self.windows.range_mut(..from).find_map(look));
        let last = match &found {
            Some((shard, ..)) => *shard,
            // All have had their turn, the last of them the one before.
            None => *self.windows.range(..from).next_back().or(self.windows.last_key_value())?.0,
        };
        self.turn = (last.number() + 1) % super::SHARDS;
        found
    }

    fn start(&mut self, shard: Shard, key: RowKey, work: Work, out: &mut Vec<Action>) {
        let request = self.next_request();
        match &work {
            Work::Fire(waiting) => {
                let row = &waiting.row;
                let (actor, name, due) = (row.actor.clone(), row.name.clone(), row.due);
                assert!(due <= self.wall, "{key} is fired before its time");
                out.push(Action::Fire { request, actor, name, due });
                if crate::mutant!("m29") {
                    let (request, version) = (self.next_request(), waiting.version);
                    out.push(Action::MoveRow { request, shard, old: key, version, next: None });
                }
            }
            Work::Move(waiting, next) => {
                let (version, next) = (waiting.version, next.map(|due| waiting.row.due_at(due)));
                out.push(Action::MoveRow { request, shard, old: key, version, next });
            }
        }
        self.under_way.insert(request, (shard, key));
        self.windows.get_mut(&shard).expect("work is of an owned shard").set_active(key, work);
    }

    fn next_request(&mut self) -> RequestId {
        self.requests += 1;
        RequestId(self.requests)
    }

    /// A number without a pattern, the same for the same history.
    fn draw(&mut self) -> u64 {
        self.seed = self.seed.wrapping_add(1);
        hash::mix(self.seed)
    }
}
