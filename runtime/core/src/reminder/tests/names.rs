//! Names that are stored: what changes here is lost to every cluster.

use super::*;

#[test]
fn the_names_have_not_moved() {
    let actor = ActorId::of_tenant("acme", "account", "42").expect("valid");
    let key = RowKey::of(&actor, "interest", WallTime(1_774_746_000_123_456_789));
    assert_eq!(key.to_string(), "0000019d371adafb/2b01874f9c26deff6a5407935ae4fcef");
    assert_eq!(RowKey::parse(&key.to_string()), Some(key));
    assert_eq!(Shard::of(&actor).number(), 42);
    assert_eq!(Shard::new(7).expect("a shard").partition(), "reminders/7");
    assert_eq!(Shard::new(7).expect("a shard").point(), 2_889_672_284_405_120_344);
}

#[test]
fn names_sort_like_times() {
    let dues = [0u64, 1, 15, 16, 255, 4096, 1 << 40, (1 << 43) + 1];
    let texts: Vec<String> = dues.iter().map(|n| row(*n, wall(*n)).key().to_string()).collect();
    assert!(texts.is_sorted());
    assert!(texts.iter().all(|t| t.len() == 49));
    // Within a millisecond the row is not later than what it announces.
    assert_eq!(RowKey::first_at(WallTime(1_999_999)).due_ms, 1);
    assert_eq!(RowKey::first_at(WallTime(-5)).due_ms, 0);
}

#[test]
fn two_reminders_never_share_a_name() {
    let of = |kind: &str, key: &str, name: &str| {
        RowKey::of(&ActorId::new(kind, key).expect("valid"), name, wall(1)).digest
    };
    let digests =
        [of("a", "bc", "d"), of("ab", "c", "d"), of("a", "b", "cd"), of("a", "bcd", ""), of("a", "bc", "e")];
    for (n, digest) in digests.iter().enumerate() {
        assert!(!digests[..n].contains(digest));
    }
}

#[test]
fn what_is_no_name_is_not_read() {
    let good = "0000000000000001/00000000000000000000000000000002";
    assert_eq!(RowKey::parse(good), Some(RowKey { due_ms: 1, digest: 2 }));
    for bad in
        ["", "/", "1/2", &good[1..], &good.replace('2', "G"), &good.replace('2', "A"), &format!("{good}0")]
    {
        assert_eq!(RowKey::parse(bad), None, "{bad}");
    }
    assert_eq!(RowKey::parse("+000000000000001/00000000000000000000000000000002"), None);
}

#[test]
fn every_shard_has_actors() {
    let mut counts = [0; SHARDS as usize];
    for n in 0..6400 {
        counts[usize::from(Shard::of(&actor(n)).number())] += 1;
    }
    assert!(counts.iter().all(|count| (50..170).contains(count)), "{counts:?}");
    assert_eq!(Shard::all().count(), usize::from(SHARDS));
    assert_eq!(Shard::new(SHARDS), None);
}
