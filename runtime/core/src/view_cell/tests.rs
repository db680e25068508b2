use super::*;
use std::sync::Weak;

#[test]
fn a_published_value_is_read_and_the_old_one_freed() {
    let first = Arc::new(1);
    let watch: Weak<i32> = Arc::downgrade(&first);
    let cell = ViewCell::new(first);
    assert_eq!(*cell.load(), 1);
    let kept = cell.load();
    cell.publish(Arc::new(2));
    assert_eq!((*cell.load(), cell.read(|v| *v)), (2, 2));
    assert!(watch.upgrade().is_some(), "a reader kept it");
    drop(kept);
    assert!(watch.upgrade().is_none());
}

#[test]
fn what_is_replaced_under_a_reader_lives_until_a_writer_finds_none() {
    let watch = |value: &Arc<i32>| Arc::downgrade(value);
    let (first, second) = (Arc::new(1), Arc::new(2));
    let (old, next) = (watch(&first), watch(&second));
    let cell = ViewCell::new(first);
    cell.read(|seen| {
        cell.publish(second);
        assert_eq!((*seen, *cell.load()), (1, 2));
        assert!(old.upgrade().is_some());
    });
    cell.publish(Arc::new(3));
    assert!(old.upgrade().is_none() && next.upgrade().is_none());
}

#[test]
fn a_dropped_cell_frees_all() {
    let first = Arc::new(1);
    let watch = Arc::downgrade(&first);
    let cell = ViewCell::new(first);
    drop(cell);
    assert!(watch.upgrade().is_none());
}

#[test]
fn a_panicking_reader_does_not_stay() {
    let cell = ViewCell::new(Arc::new(1));
    let watch = Arc::downgrade(&cell.load());
    let caught =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| cell.read(|_| panic!("on purpose"))));
    assert!(caught.is_err());
    cell.publish(Arc::new(2));
    assert!(watch.upgrade().is_none());
}
