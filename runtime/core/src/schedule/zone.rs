//! Time zones of this binary: what the local clock shows, and when it shows it.

use super::ScheduleError;
use crate::WallTime;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone, TimeZoneDatabase};
use std::sync::LazyLock;

/// The database in the binary, and no other: not the system's files, not `TZ`.
static BUNDLED: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// A time zone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Zone(TimeZone);

/// When a local clock shows a time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Shown {
    /// Once.
    Once(Timestamp),
    /// Never: the clock skips it.
    Never {
        /// The first instant after the gap.
        until: Timestamp,
        /// What the clock shows then.
        resumes: DateTime,
    },
    /// Twice: the clock is set back.
    Twice {
        /// In the first pass.
        first: Timestamp,
        /// In the second.
        second: Timestamp,
        /// The earliest time that is shown twice.
        begins: DateTime,
        /// The earliest that no longer is.
        ends: DateTime,
    },
}

impl Zone {
    /// A zone of the database, whatever the case of its letters.
    pub fn named(name: &str) -> Result<Self, ScheduleError> {
        match BUNDLED.get(name) {
            Ok(zone) if !zone.is_unknown() && zone.iana_name().is_some() => Ok(Self(zone)),
            _ => Err(ScheduleError::UnknownZone { zone: name.into(), suggestion: suggestion(name) }),
        }
    }

    /// The name as the database writes it.
    pub fn name(&self) -> &str {
        self.0.iana_name().expect("a zone has been found by its name")
    }

    /// What the clock shows.
    pub fn local(&self, time: Timestamp) -> DateTime {
        self.0.to_datetime(time)
    }

    /// When the clock shows a time; `None` beyond the end of the calendar.
    pub fn when(&self, local: DateTime) -> Option<Shown> {
        let ambiguous = self.0.to_ambiguous_timestamp(local);
        match ambiguous.offset() {
            AmbiguousOffset::Unambiguous { offset } => Some(Shown::Once(offset.to_timestamp(local).ok()?)),
            AmbiguousOffset::Gap { before: _, after } => {
                // With the offset from after the gap, a time in it is an instant shortly before the gap.
                let until = self.change_to(after, after.to_timestamp(local).ok()?)?;
                Some(Shown::Never { until, resumes: after.to_datetime(until) })
            }
            AmbiguousOffset::Fold { before, after } => {
                let first = before.to_timestamp(local).ok()?;
                let change = self.change_to(after, first)?;
                Some(Shown::Twice {
                    first,
                    second: after.to_timestamp(local).ok()?,
                    begins: after.to_datetime(change),
                    ends: before.to_datetime(change),
                })
            }
        }
    }

    /// The first change of the clock to an offset after an instant.
    fn change_to(&self, offset: Offset, after: Timestamp) -> Option<Timestamp> {
        self.0.following(after).find(|change| change.offset() == offset).map(|change| change.timestamp())
    }
}

/// Both are counts of nanoseconds since 1970; a wall time reaches from 1677 to 2262, a timestamp further.
pub(super) fn timestamp(time: WallTime) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(time.0)).expect("a timestamp reaches further than a wall time")
}

pub(super) fn wall_time(time: Timestamp) -> Option<WallTime> {
    i64::try_from(time.as_nanosecond()).ok().map(WallTime)
}

/// The zone that somebody may have meant: the one with that city, or the one that needs the fewest edits.
fn suggestion(name: &str) -> Option<String> {
    let wanted = name.to_ascii_lowercase().replace(' ', "_");
    // Nobody means a name by a page of text, and comparing one would take time.
    if wanted.is_empty() || wanted.len() > NAME_BYTES_MAX {
        return None;
    }
    let edits_max = 1 + wanted.len() / 5;
    let names = BUNDLED.available().map(|known| known.as_str().to_owned());
    let ranked = names.filter_map(|known| {
        let lower = known.to_ascii_lowercase();
        let city = lower.rsplit('/').next().expect("a split has a last part");
        let edits = if city == wanted { 0 } else { edits(&lower, &wanted).min(edits(city, &wanted)) };
        (edits <= edits_max).then_some((edits, known))
    });
    ranked.min().map(|(_, known)| known)
}

/// How many characters have to be added, removed or replaced to make one text the other.
fn edits(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (y, l) in left.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = y + 1;
        for (x, r) in right.bytes().enumerate() {
            let replaced = diagonal + usize::from(l != r);
            diagonal = row[x + 1];
            row[x + 1] = replaced.min(row[x] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

const NAME_BYTES_MAX: usize = 64;
