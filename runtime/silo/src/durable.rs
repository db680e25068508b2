//! The layer between an activation and the store: claim, load, commit (promises P1 and P3).
//!
//! An actor's partition has an `owner` row, which fences, a `state` row, a row for each slot of the state (`slots/`), and
//! rows of what else commits with the state. A commit that leaves the state as it was writes the `mark` row instead. A claim raises the epoch and checks the
//! state and the mark that it read, so that no commit of an earlier activation can slip in between. A commit checks the
//! owner row, so that no activation that lost its claim can commit. No clock takes part.
//!
//! The `state` row says which version of its schema it has (`stored.rs`). An earlier one is upgraded in memory when it is
//! loaded; the next commit writes it anew. A newer one is refused before anything is written.

use crate::because::Because;
use crate::error::Failure;
use crate::inbox::{self, Inbox};
use crate::kernel::Kernel;
use crate::observer::Event;
use crate::outbox::{self, LetterId, Post, Seen};
use crate::registry::KindEntry;
use crate::reminders::{Staged, encode_index, row as reminders};
use crate::slots::{self, Held, Image, Unfit};
use crate::stored;
use bytes::Bytes;
use quark_core::codec::{self, CodecError, CodecLimits};
use quark_core::reminder::{IndexRow, Shard};
use quark_core::wire::IdempotencyKey;
use quark_core::{ActorId, Epoch, Instant, SiloId, Version, WallTime, WriteId, buggify, mutant, reached};
use quark_env::EntropyExt;
use quark_env::store::{Batch, Expect, Op, Partition, Record, RecordKey, ScanRange, StoreError};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

pub(crate) const OWNER: &str = "owner";
const STATE: &str = "state";
const MARK: &str = "mark";
/// Every commit writes one of these.
const HEADS: [&str; 3] = [OWNER, STATE, MARK];
/// Rows from here on are not read by a claim, but one by one when they matter.
const READ_LATER: &str = "~";
/// How many rows are read at a time.
const PAGE: usize = 256;
/// How often a claim that lost a race is tried again before the caller is told.
const CLAIMS_MAX: u32 = 8;

/// The row that fences: who may commit. Its version is the epoch: the store gives out no version twice, not even when it
/// has lost the commit that had it. A number counted in the row would be counted again then.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct OwnerRow {
    /// How often the actor was claimed, as far as the store remembers. For people.
    claims: u64,
    silo: SiloId,
}

/// What an activation that holds its claim knows of its partition.
pub(crate) struct Claim {
    pub epoch: Epoch,
    partition: Partition,
    owner_version: Version,
    state_version: Option<Version>,
    mark_version: Option<Version>,
    /// What the store has, to skip commits that change nothing.
    committed: Option<Bytes>,
    /// The same of the state's slots, and which of them are under way.
    pub slots: Held,
    /// A commit whose outcome is not known yet, or nobody waited for.
    pending: Option<Pending>,
    /// The calls that have been taken.
    pub inbox: Inbox,
    /// The actor's reminders.
    pub reminders: reminders::Rows,
    /// The letters that nobody has taken yet, once there are any.
    pub post: Option<Arc<Post>>,
    /// How many letters have been written in this epoch.
    pub letters_written: u64,
    /// When the actor is woken for its letters.
    pub wake_at: Option<WallTime>,
    /// How far the letters of others have been read.
    pub seen: Seen,
}

/// A commit under way.
#[derive(Clone, Debug)]
struct Pending {
    batch: Batch,
    /// The row by which it is recognised.
    row: &'static str,
    /// The state that it writes, unless that stays as it was.
    state: Option<Bytes>,
    /// An earlier attempt may have been applied, because of this.
    doubt: Option<String>,
    /// The reminders that it writes, if the turn that set them could not wait for the outcome.
    reminders: Option<Staged>,
}

impl Claim {
    /// The version of its last commit that is known to have happened, the claim included.
    pub fn version(&self) -> Version {
        let written = [self.state_version, self.mark_version].into_iter().flatten();
        written.fold(self.owner_version, Version::max)
    }

    /// The row that makes this activation the owner, and the version that it gave it.
    pub fn owner_row(&self) -> (RecordKey, Version) {
        (RecordKey { partition: self.partition.clone(), row: OWNER.into() }, self.owner_version)
    }

    /// The turn whose commit is in doubt ends, and the activation lives on: what it said of reminders holds once the
    /// commit is found to have happened.
    pub fn leave_in_doubt(&mut self, reminders: Staged) {
        if let Some(pending) = &mut self.pending {
            pending.reminders = Some(reminders);
        }
    }
}

/// How a commit failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum CommitError {
    /// Another activation owns the actor.
    Fenced,
    /// It did not happen.
    Unavailable(String),
    /// Nobody knows, and nobody could find out in time.
    Indeterminate(String),
    /// Nobody knows, and nobody will: another activation has committed since.
    Overtaken,
    /// It did not happen: too large.
    TooLarge { what: &'static str, size: usize, limit: usize },
    /// It did not happen: the state, or a slot of it, has no encoding that the store takes.
    Unfit(Unfit),
    /// It did not happen: a newer program wrote what is stored, the state or a slot of it.
    NewerState { slot: Option<&'static str>, stored: u32, known: u32 },
    /// It did not happen: what is stored cannot be understood.
    Corrupt(String),
}

impl CommitError {
    /// Whether another activation owns the actor.
    pub fn is_fenced(&self) -> bool {
        matches!(self, CommitError::Fenced | CommitError::Overtaken)
    }

    pub fn into_failure(self, actor: &ActorId) -> Failure {
        match self {
            CommitError::Fenced => Failure::Fenced { actor: actor.clone() },
            CommitError::Unavailable(reason) => Failure::StoreUnavailable { reason },
            CommitError::Indeterminate(reason) => Failure::Indeterminate { reason },
            CommitError::Overtaken => {
                Failure::Indeterminate { reason: "another activation committed while it was in doubt".into() }
            }
            CommitError::Unfit(unfit) => unfit.into_failure(actor),
            CommitError::TooLarge { what, size, limit } => Failure::TooLarge {
                what: format!("what is to be committed for {actor}: {what}"),
                size,
                limit,
            },
            CommitError::NewerState { slot, stored, known } => {
                Failure::NewerState { actor: actor.clone(), slot: slot.map(Into::into), stored, known }
            }
            CommitError::Corrupt(reason) => Failure::Corrupt { actor: actor.clone(), reason },
        }
    }
}

/// The partition of an actor. Lengths make it unambiguous whatever the key contains.
pub(crate) fn partition_of(actor: &ActorId) -> Partition {
    let (tenant, kind) = (actor.tenant(), if mutant!("m59") { "" } else { actor.kind() });
    Partition(format!("a{}.{}/{tenant}{kind}/{}", tenant.len(), kind.len(), actor.key()).into())
}

impl Kernel {
    fn write_id(&self) -> WriteId {
        WriteId(self.env.entropy.u128("write-id"))
    }

    /// Takes the actor over: a new epoch, its state, and the slots of its kind, in one read and one commit.
    pub(crate) async fn claim(
        &self,
        actor: &ActorId,
        kind: &KindEntry,
    ) -> Result<(Claim, Option<Bytes>), CommitError> {
        let partition = partition_of(actor);
        for _ in 0..CLAIMS_MAX {
            let Some(rows) = self.all_rows(&partition).await.map_err(|e| not_done(actor, e))? else {
                reached!("durable.read_raced");
                continue;
            };
            let row = |name: &str| rows.iter().find(|r| &*r.key.row == name);
            if let Some(record) = row(STATE) {
                let (stored, _) = stored::open(&record.value).map_err(|e| corrupt(actor, &e))?;
                let known = kind.state_version;
                // Before the owner row is taken, lest a silo of the newer version be fenced for nothing.
                if stored > known {
                    reached!("durable.newer_state");
                    return Err(CommitError::NewerState { slot: None, stored, known });
                }
            }
            let slots = slots::found(&rows, &kind.slots)?;
            let owner = row(OWNER).map(|r| decode_owner(actor, r)).transpose()?;
            let claims = owner.as_ref().map_or(0, |o| o.claims) + 1;
            let value =
                codec::encode(&OwnerRow { claims, silo: self.id }, 1024).expect("an owner row is small");
            let mut batch = Batch::new(partition.clone(), self.write_id());
            batch = match row(OWNER) {
                Some(record) => batch.expect_version(OWNER, record.version),
                None => batch.expect_absent(OWNER),
            };
            for name in if mutant!("m41") { &[][..] } else { &[STATE, MARK] } {
                batch = match row(name) {
                    Some(record) => batch.expect_version(name, record.version),
                    None => batch.expect_absent(name),
                };
            }
            let taken = rows.iter().filter(|r| r.key.row.starts_with(inbox::PREFIX));
            let inbox = Inbox::load(taken).map_err(|e| corrupt(actor, &e))?;
            let set = rows.iter().filter(|r| r.key.row.starts_with(reminders::PREFIX));
            let reminders = reminders::load(set).map_err(|e| corrupt(actor, &e))?;
            let letters = rows.iter().filter(|r| r.key.row.starts_with(outbox::PREFIX));
            let letters = outbox::load(letters).map_err(|e| corrupt(actor, &e))?;
            let batch = batch.put(OWNER, value);
            match self.commit_surely(&batch, OWNER, Instant::NEVER, None).await {
                Ok(owner_version) => {
                    let state = row(STATE);
                    let claim = Claim {
                        epoch: Epoch(owner_version.0),
                        partition,
                        owner_version,
                        state_version: state.map(|r| r.version),
                        mark_version: row(MARK).map(|r| r.version),
                        committed: state.map(|r| r.value.clone()),
                        slots,
                        pending: None,
                        inbox,
                        reminders,
                        post: (!letters.is_empty())
                            .then(|| Arc::new(Post::new(letters, self.letters.clone()))),
                        letters_written: 0,
                        wake_at: None,
                        seen: Seen::default(),
                    };
                    return Ok((claim, state.map(|r| r.value.clone())));
                }
                Err(CommitError::Fenced | CommitError::Overtaken | CommitError::Indeterminate(_)) => {
                    reached!("durable.claim_raced");
                }
                Err(error) => return Err(error),
            }
        }
        Err(CommitError::Unavailable("the claim lost every race".into()))
    }

    /// Reads a whole partition as it was at one moment. `None`: it was written to meanwhile.
    async fn all_rows(&self, partition: &Partition) -> Result<Option<Vec<Record>>, StoreError> {
        let rows = self.page_after(partition, None).await?;
        if rows.len() < PAGE {
            return Ok(Some(rows));
        }
        // Every commit writes one of these. If they are in the end what they were before, so was everything between.
        let mut before = Vec::new();
        for row in HEADS {
            let key = RecordKey { partition: partition.clone(), row: row.into() };
            before.push(self.env.store.read(&key).await?.map(|record| record.version));
        }
        let mut rows: Vec<Record> = Vec::new();
        loop {
            let page = self.page_after(partition, rows.last()).await?;
            let is_last = page.len() < PAGE;
            rows.extend(page);
            if is_last {
                break;
            }
        }
        reached!("durable.many_rows");
        let after = HEADS.map(|name| rows.iter().find(|r| &*r.key.row == name).map(|r| r.version));
        Ok((before == after).then_some(rows))
    }

    async fn page_after(
        &self,
        partition: &Partition,
        last: Option<&Record>,
    ) -> Result<Vec<Record>, StoreError> {
        // The least name that comes after another is that one and a zero.
        let from = last.map_or_else(String::new, |last| format!("{}\0", last.key.row));
        let range = ScanRange { partition: partition.clone(), from: from.into(), to: READ_LATER.into() };
        self.env.store.scan(range, PAGE).await
    }

    /// Commits what an actor is after a turn, and with it what else the turn writes. `Ok(None)` if there is nothing to write.
    pub(crate) async fn commit_turn(
        &self,
        actor: &ActorId,
        claim: &mut Claim,
        image: Image,
        ops: Vec<Op>,
        deadline: Instant,
        because: Because<'_>,
    ) -> Result<Option<Version>, CommitError> {
        // It decides what this one has to expect. Whatever becomes of it, this one has not happened.
        self.settle(actor, claim, deadline).await.map_err(|error| match error {
            CommitError::Indeterminate(reason) => {
                CommitError::Unavailable(format!("an earlier commit is still in doubt: {reason}"))
            }
            CommitError::Overtaken => CommitError::Fenced,
            error => error,
        })?;
        let Image { state, slots: mut changes } = image;
        claim.slots.keep_unlike(&mut changes);
        let unchanged = claim.committed.as_ref() == Some(&state);
        if unchanged && ops.is_empty() && changes.is_empty() {
            return Ok(None);
        }
        let mut batch = Batch::new(claim.partition.clone(), self.write_id());
        batch.ops = ops;
        for slot in claim.slots.begin(changes) {
            if mutant!("m45") {
                let alone = Batch { ops: vec![slot], ..Batch::new(claim.partition.clone(), self.write_id()) };
                let _ = self.env.store.commit(alone).await;
            } else {
                batch.ops.push(slot);
            }
        }
        if !mutant!("m03") {
            batch = batch.expect_version(OWNER, claim.owner_version);
            for (name, version) in [(STATE, claim.state_version), (MARK, claim.mark_version)] {
                batch = match version {
                    Some(version) => batch.expect_version(name, version),
                    None => batch.expect_absent(name),
                };
            }
        }
        self.observe_asked(actor, claim, batch.write_id, &because);
        claim.pending = Some(match unchanged {
            true => Pending {
                batch: batch.put(MARK, Bytes::new()),
                row: MARK,
                state: None,
                doubt: None,
                reminders: None,
            },
            false => {
                let batch = batch.put(STATE, state.clone());
                Pending { batch, row: STATE, state: Some(state), doubt: None, reminders: None }
            }
        });
        self.settle(actor, claim, deadline)
            .await
            .inspect_err(|error| tracing::debug!(%actor, ?error, "a commit failed"))
    }

    /// Brings the commit under way to its end, if there is one. If its outcome stays unknown it stays under way: for the
    /// next attempt, of this or a later turn. Whoever finds out what became of it, here it is said.
    async fn settle(
        &self,
        actor: &ActorId,
        claim: &mut Claim,
        deadline: Instant,
    ) -> Result<Option<Version>, CommitError> {
        let settled = self.settle_unseen(claim, deadline).await;
        let epoch = claim.epoch;
        match &settled {
            Ok(None) => {}
            Ok(Some(version)) => {
                self.stats.commits.fetch_add(1, Ordering::Relaxed);
                self.observe(|| Event::Committed { actor, epoch, version: *version });
            }
            Err(CommitError::Fenced) => self.observe(|| Event::Fenced { actor, epoch }),
            Err(_) => {}
        }
        settled
    }

    async fn settle_unseen(
        &self,
        claim: &mut Claim,
        deadline: Instant,
    ) -> Result<Option<Version>, CommitError> {
        let Some(pending) = &mut claim.pending else { return Ok(None) };
        // If nobody polls this future to its end, whoever comes next has to doubt.
        let doubt = pending.doubt.replace("nobody waited for its outcome".into());
        let was_in_doubt = doubt.is_some();
        match self.commit_surely(&pending.batch, pending.row, deadline, doubt).await {
            Ok(version) => {
                let done = claim.pending.take().expect("it was under way");
                if let Some(staged) = done.reminders {
                    staged.apply(Arc::make_mut(&mut claim.reminders));
                }
                claim.slots.committed();
                match done.state {
                    None => claim.mark_version = Some(version),
                    Some(state) => (claim.state_version, claim.committed) = (Some(version), Some(state)),
                }
                Ok(Some(version))
            }
            Err(CommitError::Indeterminate(reason)) => {
                pending.doubt = Some(reason.clone());
                Err(CommitError::Indeterminate(reason))
            }
            Err(error) => {
                // What is refused now says nothing of an earlier attempt.
                if !was_in_doubt {
                    claim.pending = None;
                    claim.slots.refused();
                }
                Err(error)
            }
        }
    }

    /// Puts rows into the index of what is due. They are hints: what becomes of the turn that wants them does not matter.
    pub(crate) async fn put_in_index(&self, rows: &[IndexRow], deadline: Instant) -> Result<(), CommitError> {
        let Some(first) = rows.first() else { return Ok(()) };
        let shard = Shard::of(&first.actor);
        let mut batch = Batch::new(shard.partition().as_str(), self.write_id());
        for row in rows {
            batch = batch.put(&row.key().to_string(), encode_index(row));
        }
        let last = rows.last().expect("there is a first").key().to_string();
        self.commit_surely(&batch, &last, deadline, None).await.map(|_| ())
    }

    /// The outcome that a call with this key had when it was taken. `None` if the row is gone.
    pub(crate) async fn first_outcome(
        &self,
        actor: &ActorId,
        claim: &Claim,
        key: IdempotencyKey,
    ) -> Result<Option<inbox::Taken>, CommitError> {
        let row = RecordKey { partition: claim.partition.clone(), row: inbox::row_of(key).into() };
        let Some(record) = self.env.store.read(&row).await.map_err(|e| not_done(actor, e))? else {
            return Ok(None);
        };
        let taken = inbox::decode(&record.value);
        taken.map(Some).map_err(|e| corrupt(actor, &e))
    }

    /// How far this actor has read a sender's letters.
    pub(crate) async fn mark_of(
        &self,
        actor: &ActorId,
        claim: &mut Claim,
        sender: &ActorId,
    ) -> Result<Option<LetterId>, CommitError> {
        if let Some(mark) = claim.seen.known(sender) {
            return Ok(mark);
        }
        let row = RecordKey { partition: claim.partition.clone(), row: outbox::mark_row(sender).into() };
        let record = self.env.store.read(&row).await.map_err(|e| not_done(actor, e))?;
        let mark = record.map(|record| codec::decode(&record.value, CodecLimits::default())).transpose();
        let mark = mark.map_err(|e| corrupt(actor, &e))?;
        claim.seen.note(sender, mark);
        Ok(mark)
    }

    /// Commits, and when the answer is lost finds out what happened: first by retrying the same write id, then by
    /// reading the row back. `doubt` says why an earlier attempt may have been applied, if there was one.
    async fn commit_surely(
        &self,
        batch: &Batch,
        row: &str,
        deadline: Instant,
        mut doubt: Option<String>,
    ) -> Result<Version, CommitError> {
        let until = deadline.min(self.env.clock.now() + self.config.resolve_timeout);
        let mut pause = Duration::from_millis(5);
        loop {
            match self.env.store.commit(batch.clone()).await {
                Ok(_) if doubt.is_none() && buggify!(self.env.entropy, "commits_twice") => {
                    doubt = Some("a whim".into());
                }
                Ok(committed) => {
                    if doubt.is_some() {
                        reached!("durable.doubt_resolved");
                    }
                    return Ok(committed.version);
                }
                Err(StoreError::Conflict { .. }) if doubt.is_none() => return Err(CommitError::Fenced),
                // The state in memory rests on commits that are gone. If one of our attempts is among them, its caller
                // has not been told anything yet.
                Err(StoreError::WentBack { .. }) => return Err(CommitError::Fenced),
                // An earlier attempt may be what we now conflict with.
                Err(StoreError::Conflict { .. }) => {
                    reached!("durable.conflict_in_doubt");
                    match self.read_back(batch, row).await {
                        Found::Ours(version) => return Ok(version),
                        Found::AsBefore => return Err(CommitError::Fenced),
                        Found::Theirs => return Err(CommitError::Overtaken),
                        Found::Unknown => {}
                    }
                }
                Err(StoreError::Indeterminate(reason)) => {
                    reached!("durable.indeterminate");
                    doubt = Some(reason);
                }
                Err(StoreError::Unavailable(reason)) if doubt.is_none() => {
                    return Err(CommitError::Unavailable(reason));
                }
                Err(StoreError::Unavailable(_)) => {}
                Err(StoreError::TooLarge { what, size, limit }) => {
                    return Err(CommitError::TooLarge { what, size, limit });
                }
                Err(StoreError::Corrupt { reason, .. }) => return Err(CommitError::Corrupt(reason)),
            }
            let now = self.env.clock.now();
            if now >= until {
                let reason = doubt.unwrap_or_else(|| "the store did not answer".into());
                return Err(CommitError::Indeterminate(format!("the commit's answer was lost: {reason}")));
            }
            let longer = if buggify!(self.env.entropy, "commit_waits_longer") { pause * 50 } else { pause };
            self.env.clock.sleep_until((now + longer).min(until)).await;
            pause = (pause * 2).min(Duration::from_millis(500));
        }
    }

    async fn read_back(&self, batch: &Batch, row: &str) -> Found {
        let key = RecordKey { partition: batch.partition.clone(), row: row.into() };
        let Ok(record) = self.env.store.read(&key).await else { return Found::Unknown };
        let before = batch.checks.iter().find(|c| &*c.row == row).map(|c| c.expect);
        match (record, before) {
            (Some(record), _) if record.write_id == batch.write_id => {
                reached!("durable.read_back_found");
                Found::Ours(record.version)
            }
            (Some(record), Some(Expect::Version(version))) if record.version == version => Found::AsBefore,
            (None, Some(Expect::Absent)) => Found::AsBefore,
            _ => Found::Theirs,
        }
    }
}

/// What a row that we tried to write says about the attempt.
enum Found {
    /// It has our write: the attempt was applied.
    Ours(Version),
    /// It has what it had before: the attempt was not applied.
    AsBefore,
    /// It has another's write, which came after ours or instead of it.
    Theirs,
    /// The store does not say.
    Unknown,
}

fn decode_owner(actor: &ActorId, record: &Record) -> Result<OwnerRow, CommitError> {
    codec::decode(&record.value, CodecLimits::default())
        .map_err(|error| CommitError::Corrupt(format!("the owner row of {actor}: {error}")))
}

fn corrupt(actor: &ActorId, error: &CodecError) -> CommitError {
    CommitError::Corrupt(format!("{actor}: {error}"))
}

fn not_done(actor: &ActorId, error: StoreError) -> CommitError {
    match error {
        StoreError::Corrupt { reason, .. } => CommitError::Corrupt(format!("{actor}: {reason}")),
        other => CommitError::Unavailable(other.to_string()),
    }
}
