//! One silo: its directory, and the newest view that it has read.

use super::super::{Renaming, renamed};
use quark_core::SiloId;
use quark_core::directory::Directory;

#[derive(Clone)]
pub(super) struct Silo {
    pub id: SiloId,
    pub directory: Directory,
    /// Which of the views, counted from 0; none yet for one that has just joined.
    pub seen: Option<usize>,
    /// Its fingerprint under each renaming; empty while that is not known.
    pub digests: Vec<u128>,
}

impl Silo {
    pub fn new(id: SiloId) -> Self {
        Self { id, directory: Directory::new(id, super::config()), seen: None, digests: Vec::new() }
    }

    pub fn digest(&self, names: &Renaming) -> u128 {
        renamed(&(self.id, &self.directory, self.seen), names)
    }
}
