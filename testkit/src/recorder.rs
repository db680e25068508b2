//! Writes the history of a run down, from every side that can see it.

use crate::checkers::Checker;
use crate::history::{
    ClientEvent, CommitAsked, History, Once, Record, ReminderChange, SiloEvent, SiloRecord, TurnStarted,
    What, WorldEvent,
};
use crate::journal::{Journal, UserRecord};
use crate::model::Model;
use parking_lot::Mutex;
use quark::{Event, Observer, SiloStatus};
use quark_core::codec::{self, CodecLimits};
use quark_core::view::View;
use quark_core::{Epoch, Generation, Instant, SiloId, SiloName, ViewVersion};
use quark_env::store::Op;
use quark_sim::{Commit, WorldHandle};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Tells true time, which no silo knows.
pub type TrueTime = Arc<dyn Fn() -> Instant + Send + Sync>;

/// Appends to one bounded history. Hand it to the cluster as its observer.
pub struct Recorder {
    now_true: TrueTime,
    state: Mutex<State>,
    records_max: usize,
    /// Whether the silos are in a simulated world.
    is_simulated: AtomicBool,
    /// The clocks of the simulated world.
    world: Option<WorldHandle>,
    /// The checkers of the journals that write into this history.
    checkers: Mutex<Vec<Arc<dyn Checker>>>,
}

#[derive(Default)]
struct State {
    records: Vec<Record>,
    dropped: u64,
    /// The newest generation that was heard of each name.
    newest: BTreeMap<SiloName, Generation>,
    /// Incarnations of a simulated world that have lost power: the world drops what is left of their tasks only then, and
    /// what that has to say was never said.
    silent: BTreeSet<SiloId>,
    /// Reasons and outcomes are few and come often: each is kept once.
    texts: BTreeSet<Arc<str>>,
    /// So are views: every silo installs the same ones. A thousand silos that all kept their own were gigabytes.
    views: BTreeMap<ViewVersion, Arc<View>>,
    /// What was last written down of the wall clocks: the furthest ahead, and the second.
    clocks: Option<(Duration, Duration)>,
    /// Whether somebody wants to see what was taken, too.
    keeps: bool,
    kept: History,
}

/// About 250 MB: a story that needs more should be two stories.
const RECORDS_MAX: usize = 1 << 20;
/// Room for those of a short run, some 3 MB.
const RECORDS_FIRST: usize = 1 << 14;
/// A change of a clock by less is none.
const CLOCKS_NEWS: Duration = Duration::from_millis(1);
/// For so many seconds a silo goes by what another has told it of the time.
const CARRIED_S: u64 = 60;
/// Free text beyond this is kept without looking for its twin.
const TEXTS_MAX: usize = 1024;

/// The first fields of the row that fences an actor, as the silo writes it. Its epoch is the row's version.
#[derive(Deserialize)]
pub(crate) struct OwnerRow {
    _claims: u64,
    pub silo: SiloId,
}

impl Recorder {
    /// A recorder with an empty history of at most a million records.
    pub fn new(now_true: TrueTime) -> Arc<Self> {
        Self::bounded(now_true, RECORDS_MAX)
    }

    /// A recorder that counts what comes after its first `records_max` records, and does not keep it.
    pub fn bounded(now_true: TrueTime, records_max: usize) -> Arc<Self> {
        Arc::new(Self::over(now_true, records_max, None))
    }

    fn over(now_true: TrueTime, records_max: usize, world: Option<WorldHandle>) -> Self {
        Self {
            now_true,
            state: Mutex::default(),
            records_max,
            is_simulated: AtomicBool::new(world.is_some()),
            world,
            checkers: Mutex::default(),
        }
    }

    /// A recorder in a simulated world, which also watches its store.
    pub fn of_world(world: &WorldHandle) -> Arc<Self> {
        let clock = world.clone();
        let now_true: TrueTime = Arc::new(move || clock.now_true());
        let recorder = Arc::new(Self::over(now_true, RECORDS_MAX, Some(world.clone())));
        let watcher = recorder.clone();
        world.watch_commits(move |commit| watcher.committed(commit));
        recorder
    }

    /// A client invoked an operation, or it returned.
    pub fn client(&self, event: ClientEvent) {
        self.append((self.now_true)(), What::Client(event));
    }

    /// The world did something.
    pub fn world(&self, event: WorldEvent) {
        self.append((self.now_true)(), What::World(event));
    }

    /// Opens a journal in which a workload of this model writes its operations down; whoever checks the history with
    /// [`Recorder::checkers`] holds them against the model.
    pub fn journal<M: Model>(self: &Arc<Self>, name: &str, model: M) -> Journal<M> {
        let journal = Journal::new(name, model, self.clone());
        self.checkers.lock().push(journal.checker());
        journal
    }

    /// One more checker for this history.
    pub fn add_checker(&self, checker: Arc<dyn Checker>) {
        self.checkers.lock().push(checker);
    }

    /// The checkers of what was written by journals.
    pub fn checkers(&self) -> Vec<Box<dyn Checker>> {
        self.checkers.lock().iter().map(|checker| Box::new(checker.clone()) as Box<dyn Checker>).collect()
    }

    /// A workload did something of its own kind.
    pub(crate) fn user(&self, record: UserRecord) {
        self.append((self.now_true)(), What::User(record));
    }

    /// Writes down how wrong the wall clocks are, if that has changed: reminders are judged by it. Nothing outside of a
    /// simulation.
    pub fn clocks(&self) {
        let Some(world) = &self.world else { return };
        let silos: Vec<SiloName> = self.state.lock().newest.keys().copied().collect();
        let nodes = silos.iter().filter_map(|name| world.node(name.as_str()));
        // What others have said of the time is carried on by a clock that may be fast.
        let mut fastest_ppm = 0;
        let mut ahead: Vec<i64> = Vec::new();
        for node in nodes {
            fastest_ppm = fastest_ppm.max(world.clock_rate(node));
            ahead.push(world.wall_offset_ns(node).max(0));
        }
        let carried = Duration::from_micros(fastest_ppm.unsigned_abs().saturating_mul(CARRIED_S));
        ahead.sort_unstable_by(|a, b| b.cmp(a));
        let nth =
            |n: usize| Duration::from_nanos(ahead.get(n).copied().unwrap_or(0).unsigned_abs()) + carried;
        let (most, second) = (nth(0), nth(1));
        let is_news =
            |(m, s): (Duration, Duration)| most.abs_diff(m) > CLOCKS_NEWS || second.abs_diff(s) > CLOCKS_NEWS;
        if !self.state.lock().clocks.is_none_or(is_news) {
            return;
        }
        self.state.lock().clocks = Some((most, second));
        self.world(WorldEvent::WallClocks { truth: world.true_wall(), most, second });
    }

    /// The silo of this name loses power. Nothing, if no silo of this name has been heard of. In a simulated world, to be
    /// said before it happens: nothing that this incarnation says afterwards is recorded.
    pub fn crashed(&self, name: &str) {
        self.about(name, WorldEvent::Crashed);
        if self.is_simulated.load(Ordering::Relaxed)
            && let Some(id) = self.newest(name)
        {
            self.state.lock().silent.insert(id);
        }
    }

    /// The silo of this name froze.
    pub fn paused(&self, name: &str) {
        self.about(name, WorldEvent::Paused);
    }

    /// The silo of this name goes on.
    pub fn resumed(&self, name: &str) {
        self.about(name, WorldEvent::Resumed);
    }

    /// The node of this name takes so many thousandths of the usual time for everything. Nothing, if no silo can have the name.
    pub fn slowed(&self, name: &str, milli: u32) {
        if let Ok(name) = SiloName::new(name) {
            self.world(WorldEvent::Slowed { name, milli });
        }
    }

    /// What a silo says that it holds.
    pub fn sampled(&self, silo: SiloId, status: SiloStatus) {
        self.world(WorldEvent::Sampled { silo, status });
    }

    /// The history so far.
    pub fn history(&self) -> History {
        let state = self.state.lock();
        History::new(state.records.clone(), state.dropped)
    }

    /// What the records so far say, without a copy of them. The reader must be quick and must not record anything.
    pub fn read<T>(&self, reader: impl FnOnce(&[Record]) -> T) -> T {
        reader(&self.state.lock().records)
    }

    /// The history so far; the recorder goes on with an empty one.
    pub fn take_history(&self) -> History {
        let mut state = self.state.lock();
        let dropped = std::mem::take(&mut state.dropped);
        let history = History::new(std::mem::take(&mut state.records), dropped);
        if state.keeps {
            state.kept = history.clone();
        }
        history
    }

    /// From now on [`Recorder::kept`] has what [`Recorder::take_history`] took.
    pub fn keep(&self) {
        self.state.lock().keeps = true;
    }

    /// What was taken last, if that was to be kept.
    pub fn kept(&self) -> History {
        self.state.lock().kept.clone()
    }

    /// How many records there are. Does not ask for the time, and may be called where the world is locked.
    pub fn records_so_far(&self) -> usize {
        self.state.lock().records.len()
    }

    fn about(&self, name: &str, event: impl FnOnce(SiloId) -> WorldEvent) {
        if let Some(id) = self.newest(name) {
            self.world(event(id));
        }
    }

    fn newest(&self, name: &str) -> Option<SiloId> {
        let name = SiloName::new(name).ok()?;
        let generation = self.state.lock().newest.get(&name).copied()?;
        Some(SiloId::new(name, generation))
    }

    /// Runs while the world is locked: must not ask it for the time.
    fn committed(&self, commit: &Commit<'_>) {
        let puts = |op: &Op| match op {
            Op::Put { row, .. } => Some(row.clone()),
            _ => None,
        };
        let deletes = |op: &Op| match op {
            Op::Delete { row } => Some(row.clone()),
            _ => None,
        };
        let claim = commit.batch.ops.iter().find_map(|op| match op {
            Op::Put { row, value } if &**row == "owner" => {
                codec::decode::<OwnerRow>(value, CodecLimits::default()).ok()
            }
            _ => None,
        });
        let event = WorldEvent::StoreCommit {
            by: (commit.node.index(), commit.incarnation),
            partition: commit.batch.partition.0.clone(),
            version: commit.version,
            write_id: commit.batch.write_id,
            puts: commit.batch.ops.iter().filter_map(puts).collect(),
            deletes: commit.batch.ops.iter().filter_map(deletes).collect(),
            claim: claim.map(|row| (Epoch(commit.version.0), row.silo)),
        };
        self.append(Instant(commit.at_ns), What::World(event));
    }

    fn append(&self, at: Instant, what: What) {
        self.append_to(&mut self.state.lock(), at, what);
    }

    fn append_to(&self, state: &mut State, at: Instant, what: What) {
        if state.records.len() >= self.records_max {
            state.dropped += 1;
            return;
        }
        // On real threads another's record may come between reading the time and the lock.
        let at = state.records.last().map_or(at, |last| last.at.max(at));
        if state.records.is_empty() {
            // Records are large: growing from nothing copies each of them more than once.
            state.records.reserve(RECORDS_FIRST.min(self.records_max));
        }
        state.records.push(Record { at, what });
    }

    fn owned(&self, event: Event<'_>) -> SiloEvent {
        match event {
            Event::Joined => SiloEvent::Joined,
            Event::ViewInstalled { view } => SiloEvent::ViewInstalled { view: self.view(view) },
            Event::LeaseHeld { until } => SiloEvent::LeaseHeld { until },
            Event::LeaseLost => SiloEvent::LeaseLost,
            Event::Stopped { reason } => SiloEvent::Stopped { reason: self.text(reason) },
            Event::Placed { actor, on } => SiloEvent::Placed { actor: actor.clone(), on },
            Event::Activated { actor, epoch } => SiloEvent::Activated { actor: actor.clone(), epoch },
            Event::Deactivated { actor, epoch, reason } => {
                SiloEvent::Deactivated { actor: actor.clone(), epoch, reason: self.text(reason) }
            }
            Event::TurnStarted {
                actor,
                epoch,
                version,
                method,
                caller,
                call,
                exclusive,
                order,
                deadline,
            } => {
                let actor = actor.clone();
                SiloEvent::TurnStarted(TurnStarted {
                    actor,
                    epoch,
                    version,
                    method,
                    caller,
                    call,
                    exclusive,
                    order,
                    deadline,
                })
            }
            Event::TurnEnded { actor, epoch, caller, call, exclusive } => {
                SiloEvent::TurnEnded { actor: actor.clone(), epoch, caller, call, exclusive }
            }
            Event::CommitAsked { actor, epoch, write, after, once, withdrawn } => {
                let once = once.map(|once| match once {
                    quark::Once::Key(key) => Once::Key(key),
                    quark::Once::Letter { from, id } => Once::Letter { from: from.clone(), id },
                });
                let (actor, withdrawn) = (actor.clone(), withdrawn.into());
                SiloEvent::CommitAsked(CommitAsked { actor, epoch, write, after, once, withdrawn })
            }
            Event::ReminderAsked { actor, write, name, change } => {
                let (actor, name) = (actor.clone(), self.text(name));
                SiloEvent::ReminderAsked { actor, write, name, change: owned_change(change) }
            }
            Event::Committed { actor, epoch, version } => {
                SiloEvent::Committed { actor: actor.clone(), epoch, version }
            }
            Event::Fenced { actor, epoch } => SiloEvent::Fenced { actor: actor.clone(), epoch },
            Event::StoreWentBack { partition, seen, found } => {
                SiloEvent::StoreWentBack { partition: partition.0.clone(), seen, found }
            }
            Event::CallIssued { call, actor, deadline } => {
                SiloEvent::CallIssued { call, actor: actor.clone(), deadline }
            }
            Event::CallEnded { call, outcome, deadline } => {
                SiloEvent::CallEnded { call, outcome: self.text(outcome), deadline }
            }
            Event::DeadLettered { actor, reason } => {
                SiloEvent::DeadLettered { actor: actor.cloned(), reason: self.text(reason) }
            }
        }
    }

    /// The first view of its version, if this one equals it: if it does not, the checkers have to see both.
    fn view(&self, view: &Arc<View>) -> Arc<View> {
        let mut state = self.state.lock();
        let first = state.views.entry(view.version).or_insert_with(|| view.clone());
        if Arc::ptr_eq(first, view) || first == view { first.clone() } else { view.clone() }
    }

    fn text(&self, text: &str) -> Arc<str> {
        let mut state = self.state.lock();
        if let Some(kept) = state.texts.get(text) {
            return kept.clone();
        }
        let kept: Arc<str> = text.into();
        if state.texts.len() < TEXTS_MAX {
            state.texts.insert(kept.clone());
        }
        kept
    }
}

fn owned_change(change: quark::ReminderChange<'_>) -> ReminderChange {
    match change {
        quark::ReminderChange::Set { schedule, policy, next } => {
            ReminderChange::Set { schedule: Arc::new(schedule.clone()), policy, next }
        }
        quark::ReminderChange::Fired { due, missed, next } => ReminderChange::Fired { due, missed, next },
        quark::ReminderChange::Skipped { next } => ReminderChange::Skipped { next },
        quark::ReminderChange::Cancelled => ReminderChange::Cancelled,
    }
}

impl Observer for Recorder {
    fn event(&self, silo: SiloId, at: Instant, event: Event<'_>) {
        if matches!(event, Event::ReminderAsked { .. }) {
            self.clocks();
        }
        let event = self.owned(event);
        let now = (self.now_true)();
        let mut state = self.state.lock();
        if state.silent.contains(&silo) {
            return;
        }
        let newest = state.newest.entry(silo.name).or_insert(silo.generation);
        *newest = (*newest).max(silo.generation);
        self.append_to(&mut state, now, What::Silo(SiloRecord { silo, local: at, event }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn silo(generation: u64) -> SiloId {
        SiloId::new(SiloName::new("a").expect("valid"), Generation(generation))
    }

    #[test]
    fn a_full_history_counts_what_it_does_not_keep() {
        let recorder = Recorder::bounded(Arc::new(|| Instant(7)), 2);
        for _ in 0..5 {
            recorder.event(silo(1), Instant(1), Event::Joined);
        }
        let history = recorder.history();
        assert_eq!((history.records().len(), history.dropped()), (2, 3));
        assert_eq!(recorder.take_history().records().len(), 2);
        assert_eq!(recorder.history().records().len(), 0);
    }

    #[test]
    fn a_name_stands_for_its_newest_generation() {
        let recorder = Recorder::new(Arc::new(|| Instant(7)));
        recorder.crashed("a");
        recorder.event(silo(2), Instant(1), Event::Joined);
        recorder.event(silo(1), Instant(9), Event::LeaseLost);
        recorder.crashed("a");
        let history = recorder.history();
        let crashes: Vec<_> = history.world_events().map(|(_, _, event)| event.clone()).collect();
        assert_eq!(crashes, [WorldEvent::Crashed(silo(2))]);
    }

    #[test]
    fn reasons_are_kept_once() {
        let recorder = Recorder::new(Arc::new(|| Instant(7)));
        for _ in 0..2 {
            recorder.event(silo(1), Instant(1), Event::Stopped { reason: "left" });
        }
        let history = recorder.history();
        let reasons: Vec<_> = history
            .silo_records()
            .map(|(_, _, record)| match &record.event {
                SiloEvent::Stopped { reason } => reason.clone(),
                other => panic!("unexpected {other:?}"),
            })
            .collect();
        assert!(Arc::ptr_eq(&reasons[0], &reasons[1]));
    }
}
