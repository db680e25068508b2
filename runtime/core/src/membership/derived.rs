//! What follows from a table, computed once for all who hold it.

use super::monitors::WatchRings;
use crate::view::View;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

/// Facts that follow from the rows beside which they are kept. They are no part of the table's value: a copy, which may
/// be about to change, has none yet, all are equal, and none is hashed.
#[derive(Default)]
pub(super) struct Derived {
    view: OnceLock<Arc<View>>,
    watch_rings: OnceLock<(usize, Arc<WatchRings>)>,
}

impl Derived {
    pub(super) fn view(&self, describe: impl FnOnce() -> View) -> Arc<View> {
        self.view.get_or_init(|| Arc::new(describe())).clone()
    }

    pub(super) fn watch_rings(&self, count: usize, lay: impl Fn() -> WatchRings) -> Arc<WatchRings> {
        let (kept_for, rings) = self.watch_rings.get_or_init(|| (count, Arc::new(lay())));
        // maybe: two silos of one process are configured differently.
        if *kept_for == count { rings.clone() } else { Arc::new(lay()) }
    }
}

impl Clone for Derived {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Derived {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Derived {}

impl Hash for Derived {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl fmt::Debug for Derived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
}
