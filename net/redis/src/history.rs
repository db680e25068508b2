//! A server that went back in time: what is noticed, and what is done about it.
//!
//! Redis may lose acknowledged commits: a replica that had not received them is promoted, a server restarts from an old
//! snapshot, somebody restores a backup. Versions would then be given out a second time, and a check on a version could
//! hold for a record that is not the one that was read. Three things are done about it.
//!
//! **Each client remembers.** The newest version that it was told of each of the partitions used lately
//! ([`Options::versions_remembered`](crate::Options::versions_remembered)) goes with every commit. If the partition's
//! counter is below it, the script writes nothing but the counter, which it raises to the version that was remembered;
//! the caller gets [`StoreError::WentBack`](quark_env::store::StoreError::WentBack). Reads and scans compare as well;
//! such a loss is reported once to each client, and from then on its next commit there gets a version beyond what was
//! lost. What to do: whatever was read from this partition before is void. Read again and decide again; the loss itself
//! cannot be undone here.
//!
//! **Each server has a history.** Redis names its replication history by an id, which changes with every fail-over and
//! every restart. The mark of the store (`<prefix>:mark`) holds the id that was last seen; whoever connects, or looks
//! again within a second ([`Options::health_interval`](crate::Options::health_interval)), and finds another one, writes
//! it there together with the *era*: the second, by the server's clock. From then on every commit's version is at least
//! era · 2^20. That is beyond any version given out before, whether anybody remembers it or not, as a partition has
//! less than a million commits a second. So after a fail-over versions jump, and no version is ever given out twice.
//! [`Health::history_broken_at`](crate::Health::history_broken_at) shows the era, and so does
//! [`Store::history`](quark_env::Store::history), which a silo watches: once it moves, the silo reads again what its
//! activations rest on, and those that rest on a lost commit end, called or not.
//!
//! **The mark may be lost too.** A server that restarts empty has none. A client that knew the server by another id then
//! writes a mark with a new era; the others see it when they look again.
//!
//! What is *not* noticed: a loss in a partition that no living client remembers is not reported (nobody is left to be
//! misled by it; its versions are not given out again all the same). Data restored under a running server, whose id stays
//! the same, is noticed only by those who remember. And for up to a second after another client's discovery, a client
//! that was not connected when the history broke may commit with small versions: two clients must both have been away,
//! and the mark must be lost, for this to matter. A server's clock that goes back by more than the time since the last
//! break could repeat an era: keep it synchronised.
