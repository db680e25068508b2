//! The bytes of durable records: a change here is a change of what others have stored.

use super::*;
use crate::codec::{CodecLimits, decode, encode};

fn golden(schedule: &Schedule, hex: &str) {
    let bytes = encode(schedule, 1 << 16).expect("small");
    let found: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(found, hex, "{schedule:?}");
    assert_eq!(&decode::<Schedule>(&bytes, CodecLimits::of_bytes(1 << 16)).expect("as written"), schedule);
}

#[test]
fn the_bytes_have_not_moved() {
    golden(&Schedule::once(WallTime(1_000)).expect("valid"), "00fbd007");
    golden(&Schedule::every(WallTime(2), secs(60)).expect("valid"), "0104fd005847f80d000000");
    golden(
        &Schedule::cron("30 2 * * MON", "Europe/Berlin").expect("valid"),
        "020c33302032202a202a204d4f4e0d4575726f70652f4265726c696e",
    );
    let policies = [MissedPolicy::FireOnce, MissedPolicy::FireAll, MissedPolicy::Skip];
    assert_eq!(encode(&policies, 64).expect("small").as_ref(), [0, 1, 2]);
}

#[test]
fn bytes_are_checked_like_words() {
    // As a hostile or broken writer would: every second nanosecond, and a month of thirteen.
    let limits = CodecLimits::of_bytes(64);
    assert!(decode::<Schedule>(&[1, 0, 2], limits).is_err());
    assert!(decode::<Schedule>(b"\x02\x0a0 0 * 13 *\x03UTC", limits).is_err());
    assert!(decode::<Schedule>(b"\x02\x090 0 * 1 *\x03UTC", limits).is_ok());
    assert!(decode::<Schedule>(&[3], limits).is_err());
}
