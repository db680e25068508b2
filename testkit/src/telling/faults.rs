//! What was done to the world, as bands: what, to whom, from when to when.

use quark_core::Instant;
use quark_sim::{Deed, DeedKind, NodeId};
use serde::{Deserialize, Serialize};

/// One fault.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Band {
    /// What, in a word or two: `cut`, `pause`, `store outage`, ..
    pub what: String,
    /// Everything else about it, in words; may be empty.
    pub detail: String,
    /// The nodes that it hits, in groups: the two sides of a cut. Empty for all of them, or the store.
    pub groups: Vec<Vec<String>>,
    /// When it began.
    #[serde(rename = "from_ns")]
    pub from: Instant,
    /// When it ended, or the story did; a momentary one ends as it begins.
    #[serde(rename = "to_ns")]
    pub to: Instant,
    /// Whether it is over at once.
    pub is_momentary: bool,
    /// The event of its beginning.
    pub event: u32,
    /// The event of its end, if it ended before the story did.
    pub end_event: Option<u32>,
}

impl Band {
    /// All in one line.
    pub fn words(&self) -> String {
        let mut text = self.what.clone();
        let sides: Vec<String> = self.groups.iter().map(|group| group.join(" ")).collect();
        if !sides.is_empty() {
            text += &format!(": {}", sides.join(" | "));
        }
        if !self.detail.is_empty() {
            text += &format!(" ({})", self.detail);
        }
        text
    }

    /// Whether this node is among those that it hits by name.
    pub fn hits(&self, node: &str) -> bool {
        self.groups.iter().flatten().any(|name| name == node)
    }
}

/// The deeds of a world as bands, with deeds for their events: what begins and what ends is named by the position of its
/// deed until the events are numbered.
pub(super) fn bands(deeds: &[Deed], name: impl Fn(NodeId) -> String, end: Instant) -> Vec<Band> {
    let mut bands: Vec<Band> = Vec::new();
    let mut open: Vec<(usize, &Deed)> = Vec::new();
    for (position, deed) in (0..).zip(deeds) {
        let at = Instant(deed.at_ns);
        if !deed.begins {
            // An end without nodes ends all of the kind. What was set twice ends once.
            let ends = |begun: &Deed| {
                begun.kind == deed.kind && (deed.groups.is_empty() || begun.groups == deed.groups)
            };
            let is_counted = matches!(
                deed.kind,
                DeedKind::Cut | DeedKind::Clog | DeedKind::Pause | DeedKind::StoreOutage | DeedKind::StoreCut
            );
            let ends_one = is_counted && !is_end_of_all(deed);
            let mut ended = 0;
            open.retain(|(band, begun)| {
                let is_over = ends(begun) && !(ends_one && ended > 0);
                if is_over {
                    ended += 1;
                    (bands[*band].to, bands[*band].end_event) = (at, Some(position));
                }
                !is_over
            });
            continue;
        }
        let is_momentary = is_momentary(deed.kind);
        if !is_momentary {
            open.push((bands.len(), deed));
        }
        bands.push(Band {
            what: words(deed.kind).into(),
            detail: deed.detail.clone(),
            groups: deed.groups.iter().map(|group| group.iter().map(|node| name(*node)).collect()).collect(),
            from: at,
            to: if is_momentary { at } else { end },
            is_momentary,
            event: position,
            end_event: None,
        });
    }
    bands
}

/// The end of a store's outage names nobody either, but there may be several.
fn is_end_of_all(deed: &Deed) -> bool {
    deed.groups.is_empty() && deed.kind != DeedKind::StoreOutage
}

fn is_momentary(kind: DeedKind) -> bool {
    matches!(
        kind,
        DeedKind::HalfOpen
            | DeedKind::WallStep
            | DeedKind::StoreFailover
            | DeedKind::Corrupt
            | DeedKind::Reset
            | DeedKind::StoreEviction
    )
}

/// A kind of deed, as people call it.
pub(super) fn words(kind: DeedKind) -> &'static str {
    match kind {
        DeedKind::Crash => "crash",
        DeedKind::Pause => "pause",
        DeedKind::Cut => "cut",
        DeedKind::Clog => "clog",
        DeedKind::HalfOpen => "half-open link",
        DeedKind::Weather => "weather",
        DeedKind::WallStep => "clock step",
        DeedKind::ClockRate => "clock rate",
        DeedKind::Slowness => "slow processor",
        DeedKind::StoreOutage => "store outage",
        DeedKind::StoreCut => "no way to the store",
        DeedKind::StoreFull => "store full",
        DeedKind::StoreSilence => "store hides outcomes",
        DeedKind::StoreSlow => "slow store",
        DeedKind::StoreFailover => "store failover",
        DeedKind::StoreStale => "stale reads",
        DeedKind::Corrupt => "corrupt record",
        DeedKind::Reset => "connections reset",
        DeedKind::Dialling => "dialling fails",
        DeedKind::Slew => "clock slew",
        DeedKind::StoreDrops => "store drops connections",
        DeedKind::StoreErrors => "store refuses",
        DeedKind::StoreEviction => "store evicts",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deed(at_ns: u64, kind: DeedKind, begins: bool, groups: &[&[NodeId]]) -> Deed {
        let groups = groups.iter().map(|group| group.to_vec()).collect();
        Deed { at_ns, kind, begins, groups, detail: String::new(), choice: None }
    }

    fn spans(deeds: &[Deed]) -> Vec<(String, u64, u64, Option<u32>)> {
        let bands = bands(deeds, |node| format!("n{}", node.index()), Instant(100));
        bands.into_iter().map(|band| (band.what, band.from.0, band.to.0, band.end_event)).collect()
    }

    #[test]
    fn a_cut_ends_with_its_own_end_or_when_everything_heals() {
        let driver: &[NodeId] = &[NodeId::DRIVER];
        let deeds = [
            deed(1, DeedKind::Cut, true, &[driver, driver]),
            deed(2, DeedKind::Cut, true, &[driver]),
            deed(3, DeedKind::Cut, false, &[driver, driver]),
            deed(9, DeedKind::Cut, false, &[]),
            deed(10, DeedKind::Pause, true, &[driver]),
        ];
        let cut = |from, to, end| ("cut".to_owned(), from, to, end);
        assert_eq!(spans(&deeds), [cut(1, 3, Some(2)), cut(2, 9, Some(3)), ("pause".into(), 10, 100, None)]);
    }

    #[test]
    fn outages_add_up_and_end_one_by_one() {
        let deeds = [
            deed(1, DeedKind::StoreOutage, true, &[]),
            deed(2, DeedKind::StoreOutage, true, &[]),
            deed(3, DeedKind::StoreOutage, false, &[]),
            deed(4, DeedKind::WallStep, true, &[]),
        ];
        let expected = [
            ("store outage".to_owned(), 1, 3, Some(2)),
            ("store outage".to_owned(), 2, 100, None),
            ("clock step".to_owned(), 4, 4, None),
        ];
        assert_eq!(spans(&deeds), expected);
    }
}
