//! I2, promises P3 and P5, over many actors: what is only moved about is neither lost nor made.
//!
//! A story says what there is ([`WorldEvent::Endowed`]) and now and then counts it ([`WorldEvent::Counted`]). While some of
//! it is under way, in letters or in calls, there is never more than there was; once nothing is, there is as much.

use super::{Checker, Verdict};
use crate::history::{History, WorldEvent};
use std::collections::BTreeMap;
use std::sync::Arc;

/// See the module.
pub struct Conservation;

impl Checker for Conservation {
    fn name(&self) -> &'static str {
        "conservation"
    }

    fn check(&self, history: &History) -> Verdict {
        let mut verdict = Verdict::default();
        let mut totals: BTreeMap<&Arc<str>, u128> = BTreeMap::new();
        for (_, at, event) in history.world_events() {
            match event {
                WorldEvent::Endowed { fund, total } => {
                    totals.insert(fund, u128::from(*total));
                }
                WorldEvent::Counted { fund, parts, settled } => {
                    let total = totals.get(fund).copied();
                    let counted: u128 = parts.iter().map(|(_, part)| u128::from(*part)).sum();
                    let holds =
                        total.is_some_and(|total| if *settled { counted == total } else { counted <= total });
                    verdict.require("P5", at, holds, || {
                        format!("of `{fund}` there is {counted}, and there was {total:?}: {parts:?}")
                    });
                }
                _ => {}
            }
        }
        verdict
    }
}

#[cfg(test)]
mod tests {
    use super::super::script::{Script, actor, broken, rejected};
    use super::*;

    fn counted(parts: [u64; 2], settled: bool) -> WorldEvent {
        let parts = [(actor("alice"), parts[0]), (actor("bob"), parts[1])];
        WorldEvent::Counted { fund: "coins".into(), parts: parts.into(), settled }
    }

    fn endowed() -> Script {
        Script::new().world(WorldEvent::Endowed { fund: "coins".into(), total: 10 })
    }

    #[test]
    fn what_is_moved_is_neither_lost_nor_made() {
        let valid = endowed().world(counted([3, 5], false)).world(counted([3, 7], true));
        assert_eq!(rejected(&Conservation, &valid), "drop 0, swap 0");
        assert_eq!(broken(&Conservation, endowed().world(counted([3, 5], true))), ["P5"], "lost");
        assert_eq!(broken(&Conservation, endowed().world(counted([3, 8], false))), ["P5"], "made");
    }
}
