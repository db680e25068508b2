//! What the lanes of a store have in common.

use crate::address::{Address, Endpoint, Topology};
use crate::network::Network;
use crate::options::Options;
use crate::request::Scripts;
use crate::seen::Seen;
use crate::status::Status;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

pub(crate) struct Shared {
    pub(crate) address: Address,
    pub(crate) options: Options,
    pub(crate) prefix: String,
    /// The certificates of the authorities that are trusted, in PEM.
    pub(crate) ca: Option<Vec<u8>>,
    /// `None` for the operating system's.
    pub(crate) network: Option<Arc<dyn Network>>,
    pub(crate) scripts: OnceLock<Scripts>,
    pub(crate) seen: Seen,
    /// The replication id that each server had when it was last greeted.
    pub(crate) histories: Mutex<HashMap<Endpoint, String>>,
    pub(crate) status: Status,
    era: AtomicU64,
}

impl Shared {
    pub(crate) fn new(address: Address, options: Options, prefix: String, ca: Option<Vec<u8>>) -> Self {
        Self {
            seen: Seen::new(options.versions_remembered),
            status: Status::default(),
            address,
            options,
            prefix,
            ca,
            network: None,
            scripts: OnceLock::new(),
            histories: Mutex::default(),
            era: AtomicU64::new(0),
        }
    }

    pub(crate) fn is_cluster(&self) -> bool {
        matches!(self.address.topology, Topology::Cluster { .. })
    }

    /// A server's history broke in this second of its clock.
    pub(crate) fn advance_era(&self, era: u64) {
        if self.era.fetch_max(era, Ordering::Relaxed) < era {
            quark_core::reached!("redis.era");
        }
    }

    pub(crate) fn era(&self) -> u64 {
        self.era.load(Ordering::Relaxed)
    }

    /// The least version that a commit may get. No partition has a million commits a second, so no version that was
    /// given out before the history broke reaches this; and it stays below 2^53, the last integer that Lua counts to.
    pub(crate) fn floor(&self) -> u64 {
        self.era() << 20
    }
}
