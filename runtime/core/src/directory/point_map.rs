//! A map of actors in the order of the ring, so that a range of it can be cut out.

use super::span::Spans;
use crate::ActorId;
use serde::Serialize;
use std::collections::BTreeMap;

/// `None` sorts before every actor of the point, which is how a range of points becomes a range of keys.
type Key = (u64, Option<ActorId>);

/// Values by actor, sorted by the actor's point on the ring.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize)]
pub(super) struct PointMap<V>(BTreeMap<Key, V>);

impl<V> Default for PointMap<V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

fn key(actor: &ActorId) -> Key {
    (actor.point(), Some(actor.clone()))
}

impl<V> PointMap<V> {
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn get(&self, actor: &ActorId) -> Option<&V> {
        // Walks the (nearly always single) actors of the point rather than cloning the id into a key.
        let point = actor.point();
        self.0
            .range((point, None)..)
            .take_while(|(k, _)| k.0 == point)
            .find(|(k, _)| k.1.as_ref() == Some(actor))
            .map(|(_, value)| value)
    }

    pub fn insert(&mut self, actor: &ActorId, value: V) -> Option<V> {
        self.0.insert(key(actor), value)
    }

    pub fn remove(&mut self, actor: &ActorId) -> Option<V> {
        self.0.remove(&key(actor))
    }

    pub fn iter(&self) -> impl Iterator<Item = (&ActorId, &V)> {
        self.0.iter().map(|((_, actor), value)| (actor.as_ref().expect("keys are made by key()"), value))
    }

    /// Takes out everything within `spans`.
    pub fn extract(&mut self, spans: &Spans) -> Self {
        let mut taken = BTreeMap::new();
        for span in spans.iter() {
            if span.last == u64::MAX {
                taken.extend(self.0.extract_if((span.first, None).., |_, _| true));
            } else {
                taken.extend(self.0.extract_if((span.first, None)..(span.last + 1, None), |_, _| true));
            }
        }
        Self(taken)
    }

    /// Moves everything of `other` in.
    pub fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    /// Removes, of at most `count` entries behind `after`, those for which `keep` is false. The last one looked at,
    /// or `None` at the end of the map.
    pub fn sweep(
        &mut self,
        after: Option<&ActorId>,
        count: usize,
        mut keep: impl FnMut(&V) -> bool,
    ) -> Option<ActorId> {
        let start = after.map_or((0, None), key);
        let mut drop = Vec::new();
        let mut last = None;
        let mut looked = 0;
        for (at, value) in self.0.range(start.clone()..) {
            if after.is_some() && *at == start {
                continue;
            }
            if looked == count {
                break;
            }
            looked += 1;
            last.clone_from(&at.1);
            if !keep(value) {
                drop.push(at.clone());
            }
        }
        for at in drop {
            self.0.remove(&at);
        }
        if looked == count { last } else { None }
    }
}

impl<V: Copy> PointMap<V> {
    /// Up to `count` entries within `spans` behind `after`, in order, and whether there are more.
    pub fn chunk(&self, spans: &Spans, after: Option<&ActorId>, count: usize) -> (Vec<(ActorId, V)>, bool) {
        let start = after.map_or((0, None), key);
        let mut page = Vec::new();
        for span in spans.iter().filter(|s| s.last >= start.0) {
            let from = start.clone().max((span.first, None));
            for (at, value) in self.0.range(from..) {
                if at.0 > span.last {
                    break;
                }
                if after.is_some() && *at == start {
                    continue;
                }
                if page.len() == count {
                    return (page, true);
                }
                page.push((at.1.clone().expect("keys are made by key()"), *value));
            }
        }
        (page, false)
    }
}

#[cfg(test)]
mod tests {
    use super::super::span::Span;
    use super::*;
    use crate::ring::RingRange;
    use proptest::prelude::*;

    fn actor(n: usize) -> ActorId {
        ActorId::new("thing", &n.to_string()).expect("valid")
    }

    proptest! {
        #[test]
        fn chunks_put_together_are_the_range(
            count in 0_usize..60, size in 1_usize..9, a in any::<u64>(), b in any::<u64>(),
        ) {
            let mut map = PointMap::default();
            for n in 0..count {
                map.insert(&actor(n), n);
            }
            let spans = Spans::of_range(RingRange { after: a, up_to: b });
            let mut pages = Vec::new();
            let mut after: Option<ActorId> = None;
            loop {
                let (page, more) = map.chunk(&spans, after.as_ref(), size);
                prop_assert!(page.len() <= size);
                after = page.last().map(|e| e.0.clone());
                pages.extend(page);
                if !more {
                    break;
                }
            }
            let outside = map.clone();
            let taken = map.extract(&spans);
            prop_assert_eq!(taken.iter().map(|(a, n)| (a.clone(), *n)).collect::<Vec<_>>(), pages);
            prop_assert!(map.iter().all(|(a, _)| !spans.contains(a.point())));
            map.append(taken);
            prop_assert_eq!(map, outside);
        }

        #[test]
        fn a_sweep_in_steps_sees_everything_once(count in 0_usize..60, size in 1_usize..9) {
            let mut map = PointMap::default();
            for n in 0..count {
                map.insert(&actor(n), n);
            }
            let mut seen = 0;
            let mut after = None;
            loop {
                after = map.sweep(after.as_ref(), size, |n| { seen += 1; n % 3 != 0 });
                if after.is_none() {
                    break;
                }
            }
            prop_assert_eq!(seen, count);
            prop_assert!(map.iter().all(|(_, n)| n % 3 != 0));
            prop_assert_eq!(map.len(), count - count.div_ceil(3));
        }
    }

    #[test]
    fn an_empty_set_of_spans_takes_nothing() {
        let mut map = PointMap::default();
        map.insert(&actor(1), ());
        assert!(map.extract(&Spans::none()).is_empty());
        assert!(!map.extract(&Spans::of([Span { first: 0, last: u64::MAX }])).is_empty());
    }
}
