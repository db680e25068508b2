//! The letters of one activation on their way: for each receiver a lane, in which one is under way at a time.

use super::letter::{Letter, LetterId};
use crate::routes::PointHasher;
use indexmap::IndexMap;
use parking_lot::Mutex;
use quark_core::ActorId;
use std::collections::VecDeque;
use std::hash::BuildHasherDefault;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The most letters of one actor that wait to be taken.
pub const WAITING_MAX: usize = 1024;
/// So many are taken before their rows are deleted, while others still wait.
const SWEEP_AT: usize = 32;

/// What an activation has committed and nobody has taken yet.
pub(crate) struct Post {
    inner: Mutex<Inner>,
    /// How many wait in all of the silo.
    of_silo: Arc<AtomicUsize>,
}

#[derive(Default)]
struct Inner {
    lanes: IndexMap<ActorId, Lane, BuildHasherDefault<PointHasher>>,
    waiting: usize,
    /// Taken, and their rows not deleted yet.
    taken: Vec<LetterId>,
    sweep_asked: bool,
    closed: bool,
}

#[derive(Default)]
struct Lane {
    letters: VecDeque<Waiting>,
    /// A task delivers it.
    active: bool,
}

struct Waiting {
    id: LetterId,
    letter: Arc<Letter>,
    attempts: u32,
    last_failure: Option<String>,
}

/// A letter that nobody has taken yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LetterStatus {
    /// Which.
    pub id: LetterId,
    /// To whom.
    pub to: ActorId,
    /// How often it was tried, by this activation.
    pub attempts: u32,
    /// What went wrong the last time.
    pub last_failure: Option<String>,
}

impl Post {
    /// With these letters, in the order of their ids.
    pub fn new(letters: Vec<(LetterId, Letter)>, of_silo: Arc<AtomicUsize>) -> Self {
        let post = Self { inner: Mutex::default(), of_silo };
        post.add(letters);
        post
    }

    /// Letters have been committed.
    pub fn add(&self, letters: Vec<(LetterId, Letter)>) {
        let mut inner = self.inner.lock();
        inner.waiting += letters.len();
        self.of_silo.fetch_add(letters.len(), Ordering::Relaxed);
        for (id, letter) in letters {
            let lane = inner.lanes.entry(letter.to.clone()).or_default();
            lane.letters.push_back(Waiting { id, letter: Arc::new(letter), attempts: 0, last_failure: None });
        }
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.inner.lock().waiting
    }

    /// Those that wait, lane by lane.
    pub fn list(&self) -> Vec<LetterStatus> {
        let inner = self.inner.lock();
        let status = |waiting: &Waiting| LetterStatus {
            id: waiting.id,
            to: waiting.letter.to.clone(),
            attempts: waiting.attempts,
            last_failure: waiting.last_failure.clone(),
        };
        inner.lanes.values().flat_map(|lane| lane.letters.iter().map(status)).collect()
    }

    /// The lanes that nobody delivers: the caller does from now on.
    pub fn begin(&self) -> Vec<ActorId> {
        let mut inner = self.inner.lock();
        if inner.closed {
            return Vec::new();
        }
        let idle = inner.lanes.iter_mut().filter(|(_, lane)| !lane.active);
        idle.map(|(to, lane)| {
            lane.active = true;
            to.clone()
        })
        .collect()
    }

    /// What is to be delivered next in a lane. `None`: its task may end.
    pub fn first(&self, to: &ActorId) -> Option<(LetterId, Arc<Letter>)> {
        let mut inner = self.inner.lock();
        if inner.closed {
            return None;
        }
        let first = inner.lanes.get(to)?.letters.front();
        let found = first.map(|waiting| (waiting.id, waiting.letter.clone()));
        if found.is_none() {
            inner.lanes.swap_remove(to);
        }
        found
    }

    /// The first of a lane has been taken.
    pub fn taken(&self, to: &ActorId, id: LetterId) {
        let mut inner = self.inner.lock();
        if inner.closed {
            return;
        }
        let Some(lane) = inner.lanes.get_mut(to) else { return };
        // It may have been withdrawn meanwhile.
        if lane.letters.front().is_some_and(|first| first.id == id) {
            lane.letters.pop_front();
            inner.waiting -= 1;
            inner.taken.push(id);
            self.of_silo.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// The first of a lane has not been taken, as far as one knows.
    pub fn failed(&self, to: &ActorId, id: LetterId, why: String) {
        let mut inner = self.inner.lock();
        let first = inner.lanes.get_mut(to).and_then(|lane| lane.letters.front_mut());
        if let Some(first) = first.filter(|first| first.id == id) {
            first.attempts += 1;
            first.last_failure = Some(why);
        }
    }

    /// Some have been withdrawn, by a commit.
    pub fn withdrawn(&self, ids: &[LetterId]) {
        let mut inner = self.inner.lock();
        let mut gone = 0;
        for lane in inner.lanes.values_mut() {
            let before = lane.letters.len();
            lane.letters.retain(|waiting| !ids.contains(&waiting.id));
            gone += before - lane.letters.len();
        }
        inner.waiting -= gone;
        self.of_silo.fetch_sub(gone, Ordering::Relaxed);
    }

    /// Whether a turn should delete rows; the caller sees to one.
    pub fn ask_sweep(&self) -> bool {
        let mut inner = self.inner.lock();
        let worth_it = inner.taken.len() >= SWEEP_AT || (inner.waiting == 0 && !inner.taken.is_empty());
        worth_it && !inner.closed && !std::mem::replace(&mut inner.sweep_asked, true)
    }

    /// The rows that may be deleted by the commit that is being put together, at most so many.
    pub fn deletable(&self, max: usize) -> Vec<LetterId> {
        let mut inner = self.inner.lock();
        inner.sweep_asked = false;
        inner.taken.iter().copied().take(max).collect()
    }

    /// That commit has succeeded.
    pub fn deleted(&self, ids: &[LetterId]) {
        self.inner.lock().taken.retain(|id| !ids.contains(id));
    }

    /// The activation has ended: its successor delivers what is left.
    pub fn close(&self) {
        let mut inner = self.inner.lock();
        if !std::mem::replace(&mut inner.closed, true) {
            self.of_silo.fetch_sub(std::mem::take(&mut inner.waiting), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use quark_core::{Epoch, MethodId};

    fn actor(key: &str) -> ActorId {
        ActorId::new("account", key).expect("valid")
    }

    fn letters(numbers: std::ops::Range<u64>, to: &str) -> Vec<(LetterId, Letter)> {
        let letter = Letter { to: actor(to), method: MethodId(77), args: Bytes::new(), headers: Vec::new() };
        numbers.map(|number| (LetterId { epoch: Epoch(1), number }, letter.clone())).collect()
    }

    #[test]
    fn one_letter_of_a_lane_is_under_way_and_the_next_follows_when_it_is_taken() {
        let post = Post::new(letters(0..2, "a"), Arc::default());
        post.add(letters(2..3, "b"));
        assert_eq!(post.begin(), [actor("a"), actor("b")]);
        assert_eq!(post.begin(), [], "each lane has its task");
        let first = post.first(&actor("a")).expect("there are two").0;
        post.failed(&actor("a"), first, "no answer".into());
        assert_eq!(post.first(&actor("a")).expect("it was not taken").0, first);
        assert_eq!(post.list()[0].attempts, 1);
        post.taken(&actor("a"), first);
        post.taken(&actor("a"), first);
        assert_eq!((post.first(&actor("a")).map(|(id, _)| id.number), post.waiting()), (Some(1), 2));
        assert_eq!(post.of_silo.load(Ordering::Relaxed), 2);
        post.close();
        post.taken(&actor("a"), LetterId { number: 1, ..first });
        post.close();
        assert_eq!(post.of_silo.load(Ordering::Relaxed), 0, "its successor counts them");
    }

    #[test]
    fn rows_are_deleted_when_all_are_taken_or_many() {
        let post = Post::new(letters(0..40, "a"), Arc::default());
        for number in 0..40 {
            assert_eq!(post.ask_sweep(), number == SWEEP_AT as u64, "{number}");
            post.taken(&actor("a"), LetterId { epoch: Epoch(1), number });
        }
        let some = post.deletable(30);
        post.deleted(&some);
        assert!(post.ask_sweep(), "ten are left, and nothing waits");
        assert_eq!(post.deletable(30).len(), 10);
        post.deleted(&post.deletable(30));
        assert!(!post.ask_sweep());
    }

    #[test]
    fn a_lane_ends_when_it_is_empty_or_the_activation_is_gone() {
        let post = Post::new(letters(0..2, "a"), Arc::default());
        post.begin();
        post.withdrawn(&[LetterId { epoch: Epoch(1), number: 0 }]);
        assert_eq!(post.first(&actor("a")).map(|(id, _)| id.number), Some(1));
        post.withdrawn(&[LetterId { epoch: Epoch(1), number: 1 }]);
        assert_eq!((post.first(&actor("a")), post.waiting()), (None, 0));
        post.add(letters(2..3, "a"));
        assert_eq!(post.begin(), [actor("a")], "the old task has ended");
        post.close();
        assert_eq!((post.first(&actor("a")), post.begin()), (None, vec![]));
    }
}
