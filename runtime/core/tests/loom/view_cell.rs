use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;
use quark_core::view_cell::ViewCell;

/// A value that notices when it is read after, or while, it is dropped: dropping writes, and loom fails the test when
/// a read is not ordered before that.
struct Value {
    number: u64,
    content: UnsafeCell<u64>,
}

// SAFETY: the content is only read until the value is dropped; that this is ordered is what these tests check.
unsafe impl Sync for Value {}
// SAFETY: as above.
unsafe impl Send for Value {}

impl Value {
    fn new(number: u64) -> Arc<Self> {
        Arc::new(Self { number, content: UnsafeCell::new(number) })
    }

    fn look(&self) -> u64 {
        // SAFETY: loom has just checked that nobody writes.
        let content = self.content.with(|content| unsafe { *content });
        assert_eq!(content, self.number, "the value is whole and not freed");
        content
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        // SAFETY: loom has just checked that nobody reads.
        self.content.with_mut(|content| unsafe { *content = u64::MAX });
    }
}

fn explore(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(model);
}

/// Reads three times and checks that nothing goes back.
fn read(cell: &ViewCell<Value>) {
    let kept = cell.load();
    let first = cell.read(Value::look);
    let last = cell.load();
    assert!(kept.look() <= first && first <= last.look(), "a reader never sees an older value");
}

#[test]
fn a_reader_sees_only_whole_living_and_ever_newer_values() {
    explore(6, || {
        let cell = Arc::new(ViewCell::new(Value::new(0)));
        let reader = {
            let cell = cell.clone();
            thread::spawn(move || read(&cell))
        };
        cell.publish(Value::new(1));
        cell.publish(Value::new(2));
        reader.join().expect("the reader does not fail");
        assert_eq!(cell.load().look(), 2);
    });
}

#[test]
fn two_readers_do_not_free_each_others_values() {
    explore(4, || {
        let cell = Arc::new(ViewCell::new(Value::new(0)));
        let readers: Vec<_> = (0..2)
            .map(|_| {
                let cell = cell.clone();
                thread::spawn(move || {
                    let kept = cell.load();
                    assert!(kept.look() <= cell.read(Value::look));
                })
            })
            .collect();
        cell.publish(Value::new(1));
        for reader in readers {
            reader.join().expect("no reader fails");
        }
        cell.publish(Value::new(2));
        assert_eq!(cell.load().look(), 2);
    });
}

#[test]
fn what_was_published_before_a_message_is_seen_after_it() {
    use loom::sync::atomic::{AtomicBool, Ordering};
    explore(6, || {
        let cell = Arc::new(ViewCell::new(Value::new(0)));
        let told = Arc::new(AtomicBool::new(false));
        let reader = {
            let (cell, told) = (cell.clone(), told.clone());
            thread::spawn(move || {
                if told.load(Ordering::Acquire) {
                    assert_eq!(cell.read(Value::look), 1);
                }
            })
        };
        cell.publish(Value::new(1));
        told.store(true, Ordering::Release);
        reader.join().expect("the reader does not fail");
    });
}
