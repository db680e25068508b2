//! The durations and counts of the protocol, with the reasons for their defaults.

use std::time::Duration;

/// How a silo keeps its membership. All silos of a cluster must agree on `lease`, `dark_run_max` and
/// `dark_run_unanimous_max`: one silo waits for what another may do.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Config {
    /// Names the cluster: a silo refuses a table of another one.
    pub cluster_id: String,
    /// How long a proof of membership lasts, from the moment the request for it was sent.
    pub lease: Duration,
    /// How often the lease is renewed; a third of the lease leaves room for two failures.
    pub renew_every: Duration,
    /// A renewal that has no answer after this long counts as failed (its answer is still welcome).
    pub renew_timeout: Duration,
    /// A read or a change of the table that has no answer after this long is tried again.
    pub store_timeout: Duration,
    /// How long a silent peer is left in peace before it is probed.
    pub probe_every: Duration,
    /// How long a probe waits for its answer.
    pub probe_timeout: Duration,
    /// A probe unanswered for this long makes the prober start to watch the peer's lease row.
    pub watch_after: Duration,
    /// How many probes in a row go unanswered before others are asked to try.
    pub misses_max: u32,
    /// The shortest silence that may raise a suspicion, however many probes were missed.
    pub silence_min: Duration,
    /// How many silos monitor each silo.
    pub monitors: usize,
    /// How many silos are asked to probe on behalf of another.
    pub indirect_probes: usize,
    /// How long a ballot stays open.
    pub ballot_timeout: Duration,
    /// How long a contact with a peer makes a voter object to its eviction.
    pub contact_fresh: Duration,
    /// A silo that answers probes, but has reported for this long that it holds no lease, is suspected: it serves
    /// nobody, and its actors wait.
    pub leaseless_max: Duration,
    /// How long beyond its last lease from the store a silo may run on the vouches of a mere majority.
    pub dark_run_max: Duration,
    /// How long beyond its last lease from the store a silo may run on the vouches of *all* others. Also how long a
    /// silo under a name that the table did not know has to watch before it may evict all the others.
    pub dark_run_unanimous_max: Duration,
    /// How often the table's version is read without a reason.
    pub read_every: Duration,
    /// The shortest time between two reads for a reason, per 100 members (so that a thousand silos do not read a
    /// thousand rows for each of a hundred changes).
    pub read_gap_min: Duration,
    /// How long a joining silo waits to hear from one member before it joins anyway: the rows may be stale.
    pub join_check: Duration,
    /// A joining silo that has been silent for this long is removed.
    pub join_abandoned_after: Duration,
    /// How long a dead silo's row is kept.
    pub dead_kept: Duration,
}

impl Config {
    /// The defaults, for this cluster.
    pub fn new(cluster_id: impl Into<String>) -> Self {
        Self {
            cluster_id: cluster_id.into(),
            lease: Duration::from_secs(3),
            renew_every: Duration::from_secs(1),
            renew_timeout: Duration::from_millis(500),
            store_timeout: Duration::from_secs(2),
            probe_every: Duration::from_secs(1),
            probe_timeout: Duration::from_millis(500),
            watch_after: Duration::from_millis(250),
            misses_max: 3,
            silence_min: Duration::from_secs(2),
            monitors: 3,
            indirect_probes: 3,
            ballot_timeout: Duration::from_millis(400),
            contact_fresh: Duration::from_secs(1),
            leaseless_max: Duration::from_secs(10),
            dark_run_max: Duration::from_secs(30),
            dark_run_unanimous_max: Duration::from_secs(300),
            read_every: Duration::from_secs(5),
            read_gap_min: Duration::from_millis(50),
            join_check: Duration::from_secs(2),
            join_abandoned_after: Duration::from_secs(30),
            dead_kept: Duration::from_secs(600),
        }
    }

    /// How long a voter is bound not to vouch for a silo that it voted against, from its vote.
    pub(super) fn vote_binds(&self) -> Duration {
        self.lease * 2
    }

    /// Panics: if the numbers contradict one another.
    pub(super) fn check(&self) {
        assert!(self.lease > self.renew_every, "a lease outlives its renewal");
        assert!(
            self.vote_binds() >= with_margin(self.lease),
            "a vote binds until the last lease has run out"
        );
        assert!(
            self.dark_run_unanimous_max >= self.dark_run_max,
            "all vouch for no less than a majority does"
        );
        assert!(self.misses_max > 0, "a suspicion needs a missed probe");
        assert!(self.monitors > 0, "somebody has to watch");
    }
}

/// What has to be waited on one clock to be sure that `duration` has passed on another, when the rates of the two
/// differ by less than a tenth.
pub fn with_margin(duration: Duration) -> Duration {
    duration + duration / 10
}
