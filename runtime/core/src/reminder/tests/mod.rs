//! Tables for single steps, and small worlds in which everything goes wrong.

mod names;
mod tables;
mod world;

use super::*;
use crate::{ActorId, Instant, Version, WallTime};
use std::time::Duration;

fn actor(n: u64) -> ActorId {
    ActorId::new("clock", &n.to_string()).expect("valid")
}

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// Milliseconds since 1970, as a time of both clocks: the tests begin then.
fn wall(count: u64) -> WallTime {
    WallTime(count as i64 * 1_000_000)
}

fn at(count: u64) -> Instant {
    Instant(count * 1_000_000)
}

fn row(n: u64, due: WallTime) -> IndexRow {
    IndexRow { actor: actor(n), name: "r".into(), due }
}

fn stored(n: u64, due: WallTime) -> StoredRow {
    let row = row(n, due);
    StoredRow { key: row.key(), row, version: Version(1) }
}
