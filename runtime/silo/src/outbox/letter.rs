//! A letter as it is kept: a row in its sender's partition.

use bytes::Bytes;
use quark_core::codec::{self, CodecError, CodecLimits};
use quark_core::{ActorId, Epoch, MethodId};
use quark_env::store::Record;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The rows' names begin with this.
pub(crate) const PREFIX: &str = "out/";

/// Names a letter among all of its sender's, for ever. Later letters have greater ids.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct LetterId {
    /// The sender's epoch when it was written.
    pub epoch: Epoch,
    /// Counts the letters of that epoch.
    pub number: u64,
}

impl fmt::Display for LetterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.epoch.0, self.number)
    }
}

/// What is to be called.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Letter {
    pub to: ActorId,
    pub method: MethodId,
    pub args: Bytes,
    pub headers: Vec<(String, String)>,
}

/// The name of its row. The order of names is the order of ids.
pub(crate) fn row_of(id: LetterId) -> String {
    format!("{PREFIX}{:016x}/{:016x}", id.epoch.0, id.number)
}

/// From the rows of the partition, in their order.
pub(crate) fn load<'a>(
    rows: impl Iterator<Item = &'a Record>,
) -> Result<Vec<(LetterId, Letter)>, CodecError> {
    let mut all = Vec::new();
    for record in rows {
        let id = parse(&record.key.row).ok_or_else(|| CodecError::Malformed {
            of: "an outbox row",
            reason: format!("`{}` names no letter", record.key.row),
        })?;
        all.push((id, codec::decode(&record.value, CodecLimits::default())?));
    }
    all.sort_unstable_by_key(|(id, _)| *id);
    Ok(all)
}

fn parse(row: &str) -> Option<LetterId> {
    let (epoch, number) = row.strip_prefix(PREFIX)?.split_once('/')?;
    let number_of = |hex: &str| u64::from_str_radix(hex, 16).ok();
    Some(LetterId { epoch: Epoch(number_of(epoch)?), number: number_of(number)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_rows_is_the_order_of_ids() {
        let ids = [(0, 0), (0, 9), (0, 10), (1, 0), (9, 3), (10, 0), (u64::MAX, u64::MAX)]
            .map(|(epoch, number)| LetterId { epoch: Epoch(epoch), number });
        let rows = ids.map(row_of);
        assert!(ids.is_sorted() && rows.is_sorted(), "{rows:?}");
        assert_eq!(rows.map(|row| parse(&row)), ids.map(Some));
        assert_eq!(parse("out/1"), None);
    }
}
