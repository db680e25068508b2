//! A deliberate bug that only an exploration of all interleavings finds: a view published without a release.
//!
//! In a process of its own, because the bug is switched on for the whole process.
//! `RUSTFLAGS="--cfg quark_loom" cargo test -p quark-core --release --features mutants --test loom_m15`
#![cfg(all(quark_loom, feature = "mutants"))]

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use quark_core::view_cell::ViewCell;

struct Value(UnsafeCell<u64>);

// SAFETY: the content is written before it is shared, and that this is ordered is what the test checks.
unsafe impl Sync for Value {}
// SAFETY: as above.
unsafe impl Send for Value {}

#[test]
#[should_panic(expected = "Causality violation")]
fn a_view_published_without_a_release_is_found() {
    quark_core::mutant::activate("m15");
    loom::model(|| {
        let cell = Arc::new(ViewCell::new(Arc::new(Value(UnsafeCell::new(0)))));
        let reader = {
            let cell = cell.clone();
            loom::thread::spawn(move || {
                // SAFETY: loom checks it.
                cell.read(|value| value.0.with(|content| unsafe { *content }))
            })
        };
        let next = Value(UnsafeCell::new(0));
        // SAFETY: nobody else has it yet.
        next.0.with_mut(|content| unsafe { *content = 1 });
        cell.publish(Arc::new(next));
        reader.join().expect("the reader does not fail");
    });
}
