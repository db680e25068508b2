//! Which actor a partition of the store belongs to.

use quark_core::ActorId;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Reads each name once.
#[derive(Default)]
pub(super) struct Partitions(BTreeMap<Arc<str>, Option<ActorId>>);

impl Partitions {
    /// The actor whose partition this is; `None` if it is no actor's.
    pub fn actor(&mut self, partition: &Arc<str>) -> Option<ActorId> {
        if let Some(known) = self.0.get(partition) {
            return known.clone();
        }
        let actor = actor_of(partition);
        self.0.insert(partition.clone(), actor.clone());
        actor
    }
}

/// The actor whose partition this is: `a<tenant length>.<kind length>/<tenant><kind>/<key>`.
pub(crate) fn actor_of(partition: &str) -> Option<ActorId> {
    let (lengths, text) = partition.strip_prefix('a')?.split_once('/')?;
    let (tenant_length, kind_length) = lengths.split_once('.')?;
    let (tenant_length, kind_length): (usize, usize) =
        (tenant_length.parse().ok()?, kind_length.parse().ok()?);
    let (tenant, rest) = text.split_at_checked(tenant_length)?;
    let (kind, rest) = rest.split_at_checked(kind_length)?;
    ActorId::of_tenant(tenant, kind, rest.strip_prefix('/')?).ok()
}

/// The partition of an actor.
pub(crate) fn partition_of(actor: &ActorId) -> Arc<str> {
    let (tenant, kind) = (actor.tenant(), actor.kind());
    format!("a{}.{}/{tenant}{kind}/{}", tenant.len(), kind.len(), actor.key()).into()
}

#[cfg(test)]
mod tests {
    use super::super::script::actor;
    use super::*;

    #[test]
    fn a_partition_names_its_actor() {
        assert_eq!(actor_of("a0.7/account/alice"), Some(actor("alice")));
        let tenant = ActorId::of_tenant("t", "k", "x/y").expect("valid");
        assert_eq!(actor_of("a1.1/tk/x/y"), Some(tenant.clone()));
        assert_eq!(&*partition_of(&tenant), "a1.1/tk/x/y");
        for other in ["membership/c", "a0.7", "a0.9/account/alice", "ax.7/account/alice", "a0.99/k/x"] {
            assert_eq!(actor_of(other), None, "{other}");
        }
    }
}
