//! The contract of [`Store`] as a list of cases that every store must pass.
//!
//! A store is what everything durable rests on, so its contract must be executable: SQLite, the simulator's store
//! and whatever comes later run the same list. The cases need no particular executor (no timers, no tasks), so they
//! run on [`block_on`], on tokio and inside the simulator. They ask for a store that is reachable: a case fails on
//! [`Unavailable`](quark_env::store::StoreError::Unavailable) as on any other surprise.
//!
//! ```
//! use quark_testkit::store_conformance::{MemoryStore, block_on, cases};
//! use std::sync::Arc;
//!
//! let store = Arc::new(MemoryStore::new());
//! for case in cases() {
//!     block_on(case.run(store.clone(), 7)); // panics, naming the case, if the store breaks the contract
//! }
//! ```

mod atomicity;
mod block_on;
mod checks;
mod contention;
mod draws;
mod limits;
mod memory;
mod model;
mod random;
mod retries;
mod scans;
mod scope;
#[cfg(test)]
mod tests;
mod values;
mod versions;

pub use block_on::block_on;
pub use memory::MemoryStore;
pub use model::ModelStore;

use futures_util::future::BoxFuture;
use quark_env::Store;
use scope::Scope;
use std::fmt;
use std::sync::Arc;

/// One clause of the contract.
#[derive(Clone, Copy)]
pub struct Case {
    name: &'static str,
    body: fn(Scope) -> BoxFuture<'static, ()>,
}

impl Case {
    /// The clause as a sentence, with underscores.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Runs the case. Its partitions are named after the case and the seed, so all cases may share one store, and a
    /// store that keeps its data may be used again with another seed. All randomness comes from the seed.
    ///
    /// Panics: if the store breaks the contract; the message names the case and the seed.
    pub fn run(&self, store: Arc<dyn Store>, seed: u64) -> BoxFuture<'static, ()> {
        (self.body)(Scope::new(store, self.name, seed))
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

macro_rules! list {
    ($($file:ident: $($name:ident)*;)*) => {
        vec![$($(Case { name: stringify!($name), body: |scope| Box::pin($file::$name(scope)) }),*),*]
    };
}

/// All cases, simple ones first.
pub fn cases() -> Vec<Case> {
    list! {
        values: an_absent_row_reads_as_none what_was_put_is_read_back values_are_binary_and_may_be_empty
            a_value_of_one_mebibyte_survives row_names_are_any_text partitions_do_not_see_one_another;
        versions: every_commit_grows_the_version_by_one all_puts_of_a_batch_share_its_version
            a_deleted_row_that_returns_has_a_new_version a_partition_emptied_by_deletes_keeps_counting
            a_record_names_the_write_that_wrote_it;
        checks: absent_holds_only_without_the_row a_version_holds_only_exactly a_row_that_is_only_read_can_be_checked
            checks_see_the_state_before_the_batch a_conflict_names_the_first_failed_check
            checks_without_operations_commit operations_without_checks_overwrite;
        atomicity: a_failed_check_writes_nothing operations_run_in_order_and_the_last_wins
            deleting_an_absent_row_is_no_error a_commit_whose_future_is_never_awaited_is_whole_or_absent;
        retries: a_retry_returns_the_first_outcome a_retry_is_recognised_for_sixty_four_commits
            a_retry_does_not_undo_later_writes a_write_id_counts_in_its_partition_only
            a_conflict_is_not_remembered concurrent_retries_apply_once;
        limits: every_limit_is_named_and_nothing_is_written what_is_exactly_at_a_limit_commits
            the_largest_state_with_all_its_slots_commits_at_once;
        scans: a_scan_is_in_byte_order a_scan_includes_from_and_excludes_to a_scan_stops_at_its_limit
            a_prefix_finds_exactly_its_rows an_empty_range_has_no_rows a_scan_shows_whole_records;
        contention: concurrent_increments_lose_nothing one_of_many_creators_wins
            concurrent_commits_take_consecutive_versions an_acknowledged_commit_is_seen_at_once
            a_scan_sees_a_batch_whole_or_not_at_all;
        random: random_operations_agree_with_the_model;
    }
}
