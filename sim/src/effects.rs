//! What faults did: not that they were applied, but what came of it.
//!
//! Each is counted where it happens. A fault whose counter does not move while it is in force has tested nothing.

/// What came of faults since the world began.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Effects {
    /// Tasks dropped with their process.
    pub tasks_killed: u64,
    /// Wake-ups of a paused node.
    pub standstill: u64,
    /// Polls that took longer than usual.
    pub slow_polls: u64,
    /// Readings of a wall clock that had been set.
    pub wall_stepped: u64,
    /// Readings of a wall clock that was being slewed.
    pub wall_slewed: u64,
    /// Readings, and sleeps begun, by a clock whose rate was changed.
    pub rate_felt: u64,
    /// The same by a clock that stood still.
    pub frozen_felt: u64,
    /// Frames swallowed or held by a cut.
    pub frames_cut: u64,
    /// Links that broke, and dials that waited, because of a cut.
    pub links_cut: u64,
    /// Frames held by a clog alone.
    pub frames_clogged: u64,
    /// Frames that vanished in half-open links, and links that broke of it.
    pub vanished: u64,
    /// Frames that travelled under a weather of their path's own whose latency is not the usual one.
    pub frames_delayed: u64,
    /// Frames lost, doubled, open to overtaking, damaged, waiting for a slow path: as in [`NetMeters`](crate::NetMeters).
    pub frames_lost: u64,
    /// See [`Effects::frames_lost`].
    pub frames_duplicated: u64,
    /// See [`Effects::frames_lost`].
    pub frames_reordered: u64,
    /// See [`Effects::frames_lost`].
    pub frames_corrupted: u64,
    /// See [`Effects::frames_lost`].
    pub frames_slowed: u64,
    /// Links reset.
    pub links_reset: u64,
    /// Dials without an answer.
    pub dials_lost: u64,
    /// Dials refused.
    pub dials_refused: u64,
    /// Dials answered late.
    pub dials_slow: u64,
    /// Dials that reached somebody else.
    pub dials_astray: u64,
    /// Store operations that did not arrive, or whose answer was lost, because of an outage or a cut.
    pub store_dark: u64,
    /// Store operations that took longer: a spike, or a slow store.
    pub store_slow: u64,
    /// Store operations whose connection dropped.
    pub store_dropped: u64,
    /// Store operations refused for no reason.
    pub store_refused: u64,
    /// Commits with a hidden outcome, by chance or for want of an answer.
    pub outcomes_hidden: u64,
    /// Commits refused for want of room.
    pub no_room: u64,
    /// Commits lost when the replica took over.
    pub commits_lost: u64,
    /// Reads answered by the replica.
    pub stale_reads: u64,
    /// Partitions dropped.
    pub evicted: u64,
}
