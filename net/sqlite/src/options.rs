//! What can be chosen when a store is opened.

use std::time::Duration;

/// What survives a power cut. A crash or `kill -9` of processes loses nothing either way: what a process has written
/// stays with the operating system.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Durability {
    /// An acknowledged commit is on the disk (`PRAGMA synchronous = FULL`): it survives power cuts and crashes of
    /// the operating system, provided that the disk keeps what it says it has synced.
    #[default]
    Full,
    /// An acknowledged commit is with the operating system (`PRAGMA synchronous = NORMAL`): a power cut or a crash of
    /// the operating system may lose the latest commits, at most those of the last [`Options::checkpoint_pages`] of log,
    /// and the cluster goes back to the one before them. The file stays consistent, and no version is given out twice.
    /// Faster by the time of a disk sync per group; for tests, and for data that can be lost.
    Normal,
}

/// What can be chosen when a store is opened. The default is right unless you know otherwise.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// The cluster that uses the file. A new file is marked with it; a file that is marked with another is refused,
    /// so that two clusters cannot share a membership table by accident. `None` asks nothing.
    pub cluster_id: Option<String>,
    /// What survives a power cut.
    pub durability: Durability,
    /// How long to wait for the write lock while other processes hold it, before a commit is refused as unavailable
    /// (and opening the file fails as busy).
    pub busy_timeout: Duration,
    /// The number of threads that read, at least 1. Reads that find their pages in the cache are short; more threads
    /// help when the file is larger than memory.
    pub readers: usize,
    /// How many commits may wait. More are refused as unavailable, so that an overloaded store is an answer and not a
    /// growing heap.
    pub queue_commits_max: usize,
    /// How many bytes the waiting commits may hold together.
    pub queue_bytes_max: usize,
    /// The log is copied into the file once it has so many pages of 4 KiB. Larger means rarer and longer.
    pub checkpoint_pages: u32,
    /// Reads the whole file at opening to find damage. Without it, damage is reported by the operation that meets it,
    /// with one exception: where a key was damaged, there is no record of that key to meet, and it looks absent.
    ///
    /// Not found either way: damage to the memory of recent write ids, which matters to a commit that is being retried.
    pub verify_on_open: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cluster_id: None,
            durability: Durability::Full,
            busy_timeout: Duration::from_secs(2),
            readers: 2,
            queue_commits_max: 16_384,
            queue_bytes_max: 256 << 20,
            checkpoint_pages: 4096,
            verify_on_open: false,
        }
    }
}
