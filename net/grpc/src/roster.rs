//! All peers, and the generations that are refused.

use crate::peer::Peer;
use crate::proto::Refusal;
use quark_core::{Generation, SiloId, SiloName};
use quark_env::transport::SendError;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Who there is. Reading it is on the way of every frame; it changes with views and links only.
#[derive(Default)]
pub(crate) struct Roster {
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    peers: BTreeMap<SiloId, Arc<Peer>>,
    /// Per name the highest generation refused, and why. One entry per name that ever was: names are few.
    refused: BTreeMap<SiloName, (Generation, String)>,
    closed: bool,
}

/// Why a peer cannot be had.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Absent {
    /// Its generation is refused, for this reason.
    Dead(String),
    /// The transport has been shut down.
    Closed,
}

impl Roster {
    /// Does something to a peer that is there. On the way of every frame: one uncontended lock, no clone.
    pub(crate) fn with_known<T>(
        &self,
        id: SiloId,
        act: impl FnOnce(&Peer) -> Result<T, SendError>,
    ) -> Result<T, SendError> {
        let state = self.read();
        match state.peers.get(&id) {
            _ if state.closed => Err(SendError::Closed),
            Some(peer) => act(peer),
            None => Err(SendError::NotConnected),
        }
    }

    /// Finds or adds a peer and does something to it before anybody can remove it.
    pub(crate) fn with<T>(&self, id: SiloId, act: impl FnOnce(&Arc<Peer>) -> T) -> Result<T, Absent> {
        let mut state = self.write();
        if let Some(reason) = state.dead(id) {
            return Err(Absent::Dead(reason.to_owned()));
        }
        if state.closed {
            return Err(Absent::Closed);
        }
        Ok(act(state.peers.entry(id).or_insert_with(|| Peer::new(id))))
    }

    /// Does something to a peer if it is still the one in the roster, before anybody can remove it.
    pub(crate) fn with_present<T>(&self, peer: &Arc<Peer>, act: impl FnOnce() -> T) -> Option<T> {
        let state = self.write();
        let present = state.peers.get(&peer.id).is_some_and(|present| Arc::ptr_eq(present, peer));
        (present && !state.closed).then(act)
    }

    /// Removes a peer that nobody needs.
    pub(crate) fn remove_if_unneeded(&self, peer: &Arc<Peer>) {
        let mut state = self.write();
        let present = state.peers.get(&peer.id).is_some_and(|present| Arc::ptr_eq(present, peer));
        if present && peer.is_unneeded() {
            state.peers.remove(&peer.id);
            peer.close(None);
        }
    }

    /// Refuses this generation and those before it, and closes their links.
    pub(crate) fn forget(&self, id: SiloId, reason: &str) {
        let mut state = self.write();
        let newest = state.refused.get(&id.name).is_none_or(|(generation, _)| *generation < id.generation);
        if newest {
            state.refused.insert(id.name, (id.generation, reason.to_owned()));
        }
        let oldest = SiloId::new(id.name, Generation(0));
        let forgotten: Vec<SiloId> = state.peers.range(oldest..=id).map(|(id, _)| *id).collect();
        for forgotten in forgotten {
            if let Some(peer) = state.peers.remove(&forgotten) {
                peer.close(Some(&Refusal { reason: reason.to_owned(), dead: true, misdirected: false }));
            }
        }
    }

    /// Why this incarnation is refused, if it is.
    pub(crate) fn dead(&self, id: SiloId) -> Option<String> {
        self.read().dead(id).map(str::to_owned)
    }

    /// Lets every peer's links hand over what is queued and end, and takes no new ones.
    pub(crate) fn finish(&self) {
        let mut state = self.write();
        state.closed = true;
        for peer in state.peers.values() {
            peer.finish();
        }
    }

    /// Ends every link at once.
    pub(crate) fn close(&self) {
        let mut state = self.write();
        state.closed = true;
        for peer in std::mem::take(&mut state.peers).into_values() {
            peer.close(None);
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn dead(&self, id: SiloId) -> Option<&str> {
        let (generation, reason) = self.refused.get(&id.name)?;
        (id.generation <= *generation).then_some(reason.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn silo(generation: u64) -> SiloId {
        SiloId::new(SiloName::new("b").expect("valid"), Generation(generation))
    }

    #[test]
    fn forgetting_a_generation_forgets_the_earlier_ones_and_spares_the_later_one() {
        let roster = Roster::default();
        let peers: Vec<Arc<Peer>> =
            (1..=3).map(|generation| roster.with(silo(generation), Arc::clone).expect("new")).collect();
        roster.forget(silo(2), "evicted");
        assert_eq!(
            peers.iter().map(|peer| peer.gone.is_cancelled()).collect::<Vec<_>>(),
            [true, true, false]
        );
        assert_eq!(roster.dead(silo(1)), Some("evicted".into()));
        assert_eq!(roster.dead(silo(3)), None);
        assert_eq!(roster.with(silo(2), |_| ()), Err(Absent::Dead("evicted".into())));
        assert_eq!(roster.with_known(silo(2), |_| Ok(())), Err(SendError::NotConnected));
        assert_eq!(roster.with_known(silo(3), |_| Ok(())), Ok(()));
        roster.finish();
        assert_eq!(roster.with_known(silo(3), |_| Ok(())), Err(SendError::Closed));
    }

    #[test]
    fn a_lower_generation_forgotten_later_does_not_raise_the_dead() {
        let roster = Roster::default();
        roster.forget(silo(5), "first");
        roster.forget(silo(2), "second");
        assert_eq!(roster.dead(silo(4)), Some("first".into()));
    }
}
