//! Eras: no version is given out twice, also if the machine forgets commits.
//!
//! A power cut, or a crash of the operating system, may take acknowledged commits from the end of the log: with
//! [`Durability::Normal`](crate::Durability::Normal) those since its last sync, with `Full` those that a disk has not
//! kept though it said so. A partition's counter then stands where it stood before them. If it went on from there, it would
//! give the lost versions to other commits, and whoever outside of this machine was told of the first ones (an owner's epoch
//! that fences another system, an `ETag`) would take the new ones for them.
//!
//! Nothing in the file says that something is missing. But commits can be lost only where the operating system ended, and
//! that has a name: Linux draws an id at each boot. The file holds the id of the boot in which it was last opened. Whoever
//! opens it in another one begins an *era*, before anything is committed and synced whatever the durability is: from then on
//! every version is at least the second of the era's beginning, by this machine's clock, times 2^20. That is beyond all that
//! was given out before, since a partition has less than a million commits a second. A process that is killed loses nothing,
//! so within a boot there is no era, and versions count on one by one.
//!
//! What this does not see: a backup that is put in the place of the file while the machine stays up. And a clock that a
//! reboot sets back to before the last era gives the next one only 2^20 versions more than that: keep it right.

use crate::fault;
use rusqlite::{Connection, Error};
use std::time::{SystemTime, UNIX_EPOCH};

/// Versions of one second: no partition has so many commits in one.
pub(crate) const VERSIONS_PER_SECOND: u64 = 1 << 20;

/// The id of this boot of the machine. `None` if the system does not tell: then each opening counts as a boot of its own.
pub(crate) fn this_boot() -> Option<String> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim().to_owned()).filter(|id| !id.is_empty())
}

/// The least version that may be given out, having begun an era if the file was last opened in another boot. Within a
/// transaction that may write. A file that is new has nothing to lose.
pub(crate) fn floor(connection: &Connection, boot: Option<&str>, is_new: bool) -> Result<u64, Error> {
    let (last, floor): (Option<String>, u64) =
        connection.query_row("SELECT boot, floor FROM identity WHERE one = 1", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    if boot.is_some() && last.as_deref() == boot {
        return Ok(floor);
    }
    let floor =
        if is_new { floor } else { begin(floor, SystemTime::now()).ok_or_else(fault::no_versions_left)? };
    if !is_new {
        quark_core::reached!("sqlite.era");
    }
    connection.execute("UPDATE identity SET boot = ?1, floor = ?2 WHERE one = 1", (boot, floor))?;
    Ok(floor)
}

/// The floor of an era that begins now, after one with this floor. `None` if that is more than the file can hold.
fn begin(last: u64, now: SystemTime) -> Option<u64> {
    let second = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let floor = second.checked_mul(VERSIONS_PER_SECOND)?.max(last.checked_add(VERSIONS_PER_SECOND)?);
    i64::try_from(floor).is_ok().then_some(floor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn an_era_lies_beyond_the_last_whatever_the_clock_says() {
        let at = |second| UNIX_EPOCH + Duration::from_secs(second);
        assert_eq!(begin(0, at(1_800_000_000)), Some(1_800_000_000 << 20));
        assert_eq!(begin(1_800_000_000 << 20, at(5)), Some(1_800_000_001 << 20));
        assert_eq!(begin(0, UNIX_EPOCH - Duration::from_secs(9)), Some(1 << 20));
        assert_eq!(begin(i64::MAX as u64, at(5)), None);
    }
}
