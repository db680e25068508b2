//! Reading everything to find damage.
//!
//! SQLite knows whether its trees are in order and whether its index says what its table says. It has no checksums:
//! that names, versions and values are those that were written, the records know.

use crate::schema::{self, Recent};
use quark_env::store::Partition;
use rusqlite::{Connection, Error, Row};

/// The first damage that is found, in words.
pub(crate) fn damage(connection: &Connection) -> Result<Option<String>, Error> {
    let verdict: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if verdict != "ok" {
        return Ok(Some(verdict));
    }
    let of_partitions = first(connection, ALL_PARTITIONS, of_partition)?;
    if of_partitions.is_some() { Ok(of_partitions) } else { first(connection, ALL_RECORDS, of_record) }
}

fn first(
    connection: &Connection,
    all: &str,
    judge: impl Fn(&Row<'_>) -> Result<Option<String>, Error>,
) -> Result<Option<String>, Error> {
    let mut statement = connection.prepare(all)?;
    let mut found = statement.query_map([], |row| judge(row))?.filter_map(Result::transpose);
    found.next().transpose()
}

fn of_partition(row: &Row<'_>) -> Result<Option<String>, Error> {
    let (name, version, recent): (String, u64, _) = (row.get(0)?, row.get(1)?, Recent(row.get(2)?));
    let bytes = recent.0.len();
    Ok((!recent.fits(version))
        .then(|| format!("partition `{name}`: {version} commits cannot have left {bytes} bytes")))
}

fn of_record(row: &Row<'_>) -> Result<Option<String>, Error> {
    let (name, newest): (Option<String>, Option<u64>) = (row.get(0)?, row.get(1)?);
    let (key, version, checksum): (String, u64, u32) = (row.get(2)?, row.get(3)?, row.get(5)?);
    let (Some(name), Some(newest)) = (name, newest) else {
        return Ok(Some(format!("record `{key}` belongs to no partition")));
    };
    if version > newest {
        return Ok(Some(format!(
            "record `{key}` of partition `{name}` has version {version}, its partition only {newest}"
        )));
    }
    let value: Vec<u8> = row.get(6)?;
    let is_right = checksum == schema::checksum(&Partition::from(&*name), &key, version, row.get(4)?, &value);
    Ok((!is_right).then(|| format!("record `{key}` of partition `{name}`: the checksum does not match")))
}

const ALL_PARTITIONS: &str = "SELECT name, version, recent FROM partitions";
const ALL_RECORDS: &str = "
    SELECT p.name, p.version, r.row, r.version, r.write_id, r.checksum, r.value
    FROM records r LEFT JOIN partitions p ON p.id = r.partition";
