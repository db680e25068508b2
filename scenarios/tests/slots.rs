//! What slots promise: a turn writes those that it has changed, in one commit with the state, and nothing is ever parted.

use parking_lot::Mutex;
use quark::core::{WallTime, WriteId};
use quark::env::Store;
use quark::env::store::{Batch, Op, Partition, Record, VALUE_BYTES_MAX};
use quark::{
    ActorContext, Deserialize, Failure, Happened, Reminder, SaveError, Schedule, Serialize, Silo,
    SiloBuilder, Slot,
};
use quark_sim::{Config, World};
use quark_testkit::sim::SimCluster;
use quark_testkit::stage::Stage;
use std::sync::Arc;
use std::time::Duration;

/// A small hot part, and two that may be large.
#[quark::state]
#[derive(Default, Serialize, Deserialize)]
struct Book {
    balance: u64,
    history: Slot<Vec<String>>,
    #[quark(name = "remarks")]
    notes: Slot<Vec<String>>,
}

/// All that a book holds: balance, history, notes.
type Content = (u64, Vec<String>, Vec<String>);

#[quark::actor(kind = "book", durable)]
impl Book {
    fn deposit(&mut self, amount: u64) -> u64 {
        self.balance += amount;
        self.balance
    }

    fn write(&mut self, entry: String) {
        self.history.push(entry);
    }

    fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// Changes all there is.
    fn enter(&mut self, text: String) {
        self.balance += 1;
        self.history.push(text.clone());
        self.notes.push(text);
    }

    fn refuse(&mut self, text: String) -> Result<(), String> {
        self.enter(text);
        Err("told to".into())
    }

    async fn enter_and_panic(&mut self, ctx: &ActorContext, text: String) {
        self.enter(text);
        ctx.sleep(Duration::from_millis(20)).await;
        panic!("told to");
    }

    /// Changes a slot, and changes it back.
    fn touch(&mut self) {
        self.history.push(String::new());
        self.history.pop();
    }

    fn exchange(&mut self) {
        std::mem::swap(&mut self.history, &mut self.notes);
    }

    fn clear_notes(&mut self) {
        self.notes = Slot::default();
    }

    /// One text of so many bytes is all of the history: encoded it has six more.
    fn fill(&mut self, bytes: usize) {
        self.balance += 1;
        Slot::set(&mut self.history, vec!["x".repeat(bytes)]);
    }

    /// Sets 64 reminders and writes 63 letters, as many writes as there is room for beside the state.
    fn write_much(&mut self, ctx: &ActorContext, and_a_slot: bool) -> Result<(), String> {
        for number in 0..64 {
            let far = Schedule::once(WallTime(i64::MAX / 2)).map_err(|e| e.to_string())?;
            let due = ctx.myself::<Self>().touch();
            ctx.reminders()
                .and_then(|all| all.set(Reminder::new(format!("far-{number}"), far), due))
                .map_err(|e| e.to_string())?;
        }
        for number in 0..63 {
            let letter = ctx.actor::<Book>("other").write(number.to_string());
            ctx.outbox().and_then(|all| all.send(letter)).map_err(|e| e.to_string())?;
        }
        if and_a_slot {
            self.history.push("much".into());
        }
        Ok(())
    }

    fn send(&mut self, ctx: &ActorContext, to: String, text: String) -> Result<(), String> {
        self.history.push(text.clone());
        let letter = ctx.actor::<Book>(&to).enter(text);
        ctx.outbox().and_then(|all| all.send(letter)).map(|_| ()).map_err(|e| e.to_string())
    }

    fn content(&self) -> Content {
        (self.balance, self.history.to_vec(), self.notes.to_vec())
    }

    fn history_bytes(&self) -> usize {
        self.history.iter().map(String::len).sum()
    }
}

/// The same, saved when it says so.
#[quark::state]
#[derive(Clone, Default, Serialize, Deserialize)]
struct Draft {
    title: String,
    text: Slot<String>,
}

#[quark::actor(kind = "draft", save = manual)]
impl Draft {
    fn write(&mut self, both: String) {
        self.title = both.clone();
        *self.text = both;
    }

    async fn save(&mut self, ctx: &ActorContext) -> Result<(), String> {
        ctx.save(self).await.map_err(|error| error.to_string())
    }

    /// Saves another text than it has, and then what it has.
    async fn save_a_copy(
        &mut self,
        ctx: &ActorContext,
        both: String,
        and_itself: bool,
    ) -> Result<(), String> {
        let mut copy = self.clone();
        copy.write(both);
        ctx.save(&copy).await.map_err(|error| error.to_string())?;
        if and_itself {
            ctx.save(self).await.map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    async fn save_and_panic(&mut self, ctx: &ActorContext, saved: String, lost: String) {
        self.write(saved);
        ctx.save(self).await.expect("the store is well");
        self.write(lost);
        panic!("told to");
    }

    async fn save_much(&mut self, ctx: &ActorContext, bytes: usize) -> Option<Failure> {
        *self.text = "x".repeat(bytes);
        match ctx.save(self).await {
            Err(SaveError::Failed(failure)) => Some(failure),
            Ok(()) | Err(SaveError::NotHere { .. }) => None,
        }
    }

    fn both(&self) -> (String, String) {
        (self.title.clone(), self.text.clone().to_string())
    }
}

/// The same, saved by the silo.
#[quark::state]
#[derive(Default, Serialize, Deserialize)]
struct Hits {
    count: u64,
    seen: Slot<Vec<u64>>,
}

#[quark::actor(kind = "hits", write_behind = "500ms")]
impl Hits {
    fn hit(&mut self) -> u64 {
        self.count += 1;
        let count = self.count;
        self.seen.push(count);
        count
    }

    fn both(&self) -> (u64, u64) {
        (self.count, self.seen.len() as u64)
    }
}

fn kinds(builder: SiloBuilder) -> SiloBuilder {
    builder.actor::<Book>().actor::<Draft>().actor::<Hits>()
}

/// The rows that a commit wrote, and how many bytes each has.
type Rows = Vec<(String, usize)>;

/// Each commit to the actors whose key is `x`.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<Rows>>>);

impl Seen {
    fn watch(world: &quark_sim::WorldHandle) -> Self {
        let seen = Self::default();
        let commits = seen.0.clone();
        world.watch_commits(move |commit| {
            let put = |op: &Op| match op {
                Op::Put { row, value } => Some((row.to_string(), value.len())),
                Op::Delete { .. } => None,
            };
            if commit.batch.partition.0.ends_with("/x") {
                commits.lock().push(commit.batch.ops.iter().filter_map(put).collect());
            }
        });
        seen
    }

    /// The rows of the commits since the last look.
    fn rows(&self) -> Vec<Vec<String>> {
        let commits = std::mem::take(&mut *self.0.lock());
        commits.into_iter().map(|ops| ops.into_iter().map(|(row, _)| row).collect()).collect()
    }

    /// The bytes of the commits since the last look.
    fn bytes(&self) -> usize {
        std::mem::take(&mut *self.0.lock()).into_iter().flatten().map(|(_, bytes)| bytes).sum()
    }
}

fn on_one_silo<F: Future<Output = ()>>(story: impl FnOnce(SimCluster, Silo, Seen) -> F) {
    let mut world = World::new(Config::calm(7));
    let cluster = SimCluster::new(world.handle(), "books", Arc::new(kinds), None);
    world.block_on(async {
        cluster.start_all(&["a"]).await;
        let silo = cluster.silo("a").expect("it runs");
        let seen = Seen::watch(cluster.world());
        story(cluster, silo, seen).await;
    });
}

/// The same silo after a crash.
async fn after_a_crash(cluster: &SimCluster) -> Silo {
    cluster.crash("a");
    cluster.start("a").await.expect("starts again");
    cluster.silo("a").expect("it runs")
}

fn book(silo: &Silo) -> BookRef {
    silo.client().actor::<Book>("x")
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// The partition of `{kind}/x`.
fn partition(cluster: &SimCluster, kind: &str) -> Partition {
    let ends = format!("{kind}/x");
    let mut all = cluster.world().partitions().into_iter();
    all.find(|p| p.0.ends_with(&ends)).expect("it was claimed")
}

fn rows_of(cluster: &SimCluster, kind: &str) -> Vec<Record> {
    cluster.world().peek_partition(&partition(cluster, kind)).expect("readable")
}

fn row(cluster: &SimCluster, kind: &str, row: &str) -> Option<Record> {
    rows_of(cluster, kind).into_iter().find(|record| &*record.key.row == row)
}

/// Writes a row as somebody else's program might.
async fn overwrite(cluster: &SimCluster, kind: &str, row: &str, value: &[u8]) {
    // A write id of its own for each value: a store takes none twice.
    let write_id = WriteId(value.iter().fold(7, |id, byte| id << 8 | u128::from(*byte)));
    let batch = Batch::new(partition(cluster, kind), write_id).put(row, value.to_vec());
    cluster.world().host(cluster.node("a")).commit(batch).await.expect("commits");
}

fn failure<T: std::fmt::Debug, E: std::fmt::Debug>(outcome: Result<T, quark::CallError<E>>) -> Failure {
    outcome.expect_err("it fails").failure().cloned().expect("of the runtime")
}

#[test]
fn a_turn_writes_what_it_has_changed_in_one_commit_and_nothing_else() {
    on_one_silo(|_, silo, seen| async move {
        let book = book(&silo);
        assert_eq!(book.deposit(5).await, Ok(5));
        assert_eq!(seen.rows(), [["owner"], ["state"]], "slots that are as `Default` makes them have no row");
        book.write("one".into()).await.expect("serves");
        assert_eq!(seen.rows(), [["s/history", "mark"]]);
        book.note("two".into()).await.expect("serves");
        assert_eq!(seen.rows(), [["s/remarks", "mark"]], "under its own name");
        book.enter("three".into()).await.expect("serves");
        assert_eq!(seen.rows(), [["s/history", "s/remarks", "state"]]);
        assert_eq!(book.deposit(5).await, Ok(11));
        assert_eq!(seen.rows(), [["state"]]);
        book.touch().await.expect("serves");
        assert!(seen.rows().is_empty(), "the same bytes as before");
    });
}

#[test]
fn a_large_slot_costs_the_turns_that_change_it_and_no_others() {
    on_one_silo(|_, silo, seen| async move {
        let book = book(&silo);
        book.fill(800 << 10).await.expect("serves");
        assert!(seen.bytes() > 800 << 10);
        for _ in 0..10 {
            book.deposit(1).await.expect("serves");
        }
        assert_eq!(seen.bytes(), 10, "ten turns, a byte each");
        assert_eq!(book.history_bytes().await, Ok(800 << 10));
    });
}

#[test]
fn state_and_slots_are_what_they_were_after_each_crash() {
    on_one_silo(|cluster, silo, _| async move {
        let mut expected: Content = Default::default();
        let mut silo = silo;
        for step in 0..8 {
            let (x, text) = (book(&silo), format!("text {step}"));
            match step % 4 {
                0 => {
                    x.enter(text.clone()).await.expect("serves");
                    expected.0 += 1;
                    expected.1.push(text.clone());
                    expected.2.push(text);
                }
                1 => {
                    x.note(text.clone()).await.expect("serves");
                    expected.2.push(text);
                }
                2 => {
                    x.exchange().await.expect("serves");
                    std::mem::swap(&mut expected.1, &mut expected.2);
                }
                _ => {
                    x.clear_notes().await.expect("serves");
                    expected.2.clear();
                }
            }
            silo = after_a_crash(&cluster).await;
            assert_eq!(book(&silo).content().await, Ok(expected.clone()), "after step {step}");
        }
    });
}

#[test]
fn the_state_s_record_has_nothing_of_the_slots() {
    on_one_silo(|cluster, silo, _| async move {
        book(&silo).enter("text".into()).await.expect("serves");
        let record = |name| row(&cluster, "book", name).expect("it was committed").value;
        assert_eq!(&record("state")[..], [1], "the balance");
        assert_eq!(&record("s/history")[..], b"\x01\x04text");
    });
}

#[test]
fn a_turn_that_panics_leaves_no_slot_behind() {
    on_one_silo(|_, silo, seen| async move {
        let book = book(&silo);
        book.enter("one".into()).await.expect("serves");
        seen.rows();
        assert!(matches!(failure(book.enter_and_panic("two".into()).await), Failure::Panicked { .. }));
        assert_eq!(book.content().await, Ok((1, texts(&["one"]), texts(&["one"]))));
        assert_eq!(seen.rows(), [["owner"]], "a fresh activation, and nothing else");
        book.refuse("three".into()).await.expect_err("refuses");
        assert_eq!(seen.rows(), [["s/history", "s/remarks", "state"]], "a refusal is a result like others");
    });
}

#[test]
fn a_turn_whose_commit_fails_leaves_no_slot_behind() {
    on_one_silo(|cluster, silo, _| async move {
        let book = book(&silo);
        book.enter("one".into()).await.expect("serves");
        cluster.world().begin_store_outage();
        let failed = failure(book.enter("two".into()).deadline(Duration::from_millis(500)).await);
        assert!(
            matches!(failed, Failure::StoreUnavailable { .. } | Failure::Indeterminate { .. }),
            "{failed}"
        );
        cluster.world().end_store_outage();
        cluster.sleep(Duration::from_secs(5)).await;
        let (balance, history, notes) = book.content().await.expect("serves");
        assert_eq!((balance as usize, &history), (history.len(), &notes), "all of it or nothing");
        book.enter("three".into()).await.expect("serves");
        let content =
            (balance + 1, [history, texts(&["three"])].concat(), [notes, texts(&["three"])].concat());
        let silo = after_a_crash(&cluster).await;
        assert_eq!(silo.client().actor::<Book>("x").content().await, Ok(content));
    });
}

#[test]
fn a_fenced_activation_writes_no_slot() {
    on_one_silo(|cluster, silo, seen| async move {
        let book = book(&silo);
        book.enter("one".into()).await.expect("serves");
        // What another silo's claim does to the owner row.
        overwrite(&cluster, "book", "owner", &[9, 1, b'b', 1]).await;
        seen.rows();
        assert!(matches!(failure(book.enter("stale".into()).await), Failure::Fenced { .. }));
        assert!(seen.rows().is_empty());
        assert_eq!(book.content().await, Ok((1, texts(&["one"]), texts(&["one"]))));
    });
}

#[test]
fn a_slot_at_the_limit_fits_and_one_beyond_it_is_named_and_changes_nothing() {
    on_one_silo(|cluster, silo, seen| async move {
        let book = book(&silo);
        book.fill(VALUE_BYTES_MAX - 6).await.expect("it just fits");
        seen.rows();
        let failed = failure(book.fill(VALUE_BYTES_MAX - 5).await);
        let Failure::TooLarge { what, size, limit } = &failed else { panic!("{failed}") };
        assert_eq!(what, "the slot `history` of book/x");
        assert_eq!((*size, *limit), (VALUE_BYTES_MAX + 1, VALUE_BYTES_MAX));
        assert_eq!(failed.happened(), Happened::No);
        assert!(seen.rows().is_empty(), "refused before anything is sent");
        assert_eq!(book.history_bytes().await, Ok(VALUE_BYTES_MAX - 6));
        assert_eq!(
            book.content().await.map(|(balance, ..)| balance),
            Ok(1),
            "the state has not happened either"
        );
        let silo = after_a_crash(&cluster).await;
        assert_eq!(silo.client().actor::<Book>("x").history_bytes().await, Ok(VALUE_BYTES_MAX - 6));
    });
}

#[test]
fn a_batch_has_room_for_its_slots_or_is_refused() {
    on_one_silo(|_, silo, seen| async move {
        let book = book(&silo);
        let failed = failure(book.write_much(true).await);
        let Failure::TooLarge { what, size: 127, limit: 126 } = &failed else { panic!("{failed}") };
        assert!(what.contains("beside its slots"), "{what}");
        assert_eq!(book.content().await, Ok(Content::default()));
        seen.rows();
        assert_eq!(book.write_much(false).await, Ok(()), "128 writes are not too many");
        assert_eq!(seen.rows()[0].len(), 128);
    });
}

#[test]
fn a_key_and_a_letter_are_one_commit_with_the_slots() {
    on_one_silo(|cluster, silo, seen| async move {
        let client = silo.client();
        let x = book(&silo);
        x.write("keyed".into()).idempotency_key(9).await.expect("serves");
        x.write("keyed".into()).idempotency_key(9).await.expect("serves");
        let mut commits = seen.rows();
        assert_eq!(commits.len(), 2, "a claim and one effect: {commits:?}");
        let effect = commits.pop().expect("there are two");
        assert!(effect.contains(&"s/history".into()) && effect.iter().any(|row| row.starts_with("in/")));

        client.actor::<Book>("sender").send("x".into(), "letter".into()).await.expect("serves");
        let mut content = x.content().await;
        while content.as_ref().is_ok_and(|(balance, ..)| *balance == 0) {
            cluster.sleep(Duration::from_millis(5)).await;
            content = x.content().await;
        }
        assert_eq!(content, Ok((1, texts(&["keyed", "letter"]), texts(&["letter"]))));
        let commits = seen.rows();
        let taken: Vec<_> = commits.iter().filter(|rows| rows.contains(&"s/remarks".into())).collect();
        assert_eq!(taken.len(), 1);
        assert!(taken[0].iter().any(|row| row.starts_with("~seen/")), "{commits:?}");
    });
}

#[test]
fn a_save_in_doubt_is_found_out_with_its_slots() {
    on_one_silo(|cluster, silo, seen| async move {
        let draft = silo.client().actor::<Draft>("x");
        for (number, applied_ppm) in [(1, 0), (2, 1_000_000)] {
            draft.write(format!("doubtful {number}")).await.expect("serves");
            cluster.world().set_store_indeterminate(1_000_000, applied_ppm);
            let error = draft.save().deadline(Duration::from_millis(900)).await.expect_err("nobody knows");
            assert!(error.to_string().contains("unknown"), "{error}");
            cluster.world().set_store_indeterminate(0, 0);
            seen.rows();
            assert_eq!(draft.save().await, Ok(()), "it finds out first");
            let late = seen.rows();
            assert_eq!(late.len(), usize::from(applied_ppm == 0), "nothing is written twice: {late:?}");
            draft.write(format!("sure {number}")).await.expect("serves");
            assert_eq!(draft.save().await, Ok(()));
            assert_eq!(seen.rows(), [["s/text", "state"]]);
            assert_eq!(silo.status().activations, 1, "the same activation all the time");
        }
        let silo = after_a_crash(&cluster).await;
        let both = silo.client().actor::<Draft>("x").both().await;
        assert_eq!(both, Ok(("sure 2".into(), "sure 2".into())));
    });
}

#[test]
fn what_is_stored_is_what_was_saved_last_also_after_a_copy_was() {
    on_one_silo(|cluster, silo, _| async move {
        let draft = silo.client().actor::<Draft>("x");
        draft.write("own".into()).await.expect("serves");
        assert_eq!(draft.save().await, Ok(()));
        assert_eq!(draft.save_a_copy("copy".into(), true).await, Ok(()));
        let silo = after_a_crash(&cluster).await;
        let draft = silo.client().actor::<Draft>("x");
        assert_eq!(draft.both().await, Ok(("own".into(), "own".into())));
        // In doubt: the copy may be stored by the time that the draft itself is saved.
        for applied_ppm in [0, 1_000_000] {
            cluster.world().set_store_indeterminate(1_000_000, applied_ppm);
            let copied = draft.save_a_copy("copy".into(), false).deadline(Duration::from_millis(900)).await;
            copied.expect_err("nobody knows");
            cluster.world().set_store_indeterminate(0, 0);
            assert_eq!(draft.save().await, Ok(()));
            let record = row(&cluster, "draft", "s/text").expect("it was committed").value;
            assert_eq!(&record[..], b"\x03own", "{applied_ppm}");
        }
    });
}

#[test]
fn a_save_within_a_turn_keeps_its_slots_whatever_becomes_of_the_turn() {
    on_one_silo(|_, silo, _| async move {
        let draft = silo.client().actor::<Draft>("x");
        draft.save_and_panic("saved".into(), "lost".into()).await.expect_err("panics");
        assert_eq!(draft.both().await, Ok(("saved".into(), "saved".into())));
        let failed = draft.save_much(2 << 20).await.expect("serves").expect("it does not fit");
        let Failure::TooLarge { what, size, .. } = &failed else { panic!("{failed}") };
        assert_eq!((what.as_str(), *size), ("the slot `text` of draft/x", (2 << 20) + 5));
    });
}

#[test]
fn write_behind_saves_slots_with_the_state_and_a_crash_loses_both() {
    on_one_silo(|cluster, silo, seen| async move {
        let hits = silo.client().actor::<Hits>("x");
        for _ in 0..3 {
            hits.hit().await.expect("serves");
        }
        assert_eq!(seen.rows(), [["owner"]]);
        cluster.sleep(Duration::from_millis(600)).await;
        assert_eq!(seen.rows(), [["s/seen", "state"]], "one commit for all of them");
        hits.hit().await.expect("serves");
        let silo = after_a_crash(&cluster).await;
        let hits = silo.client().actor::<Hits>("x");
        assert_eq!(hits.both().await, Ok((3, 3)));
        // In doubt for a while, and the actor serves.
        cluster.world().set_store_indeterminate(1_000_000, 500_000);
        for _ in 0..20 {
            hits.hit().await.expect("serves");
            cluster.sleep(Duration::from_millis(100)).await;
        }
        cluster.world().heal_store();
        cluster.sleep(Duration::from_secs(10)).await;
        let silo = after_a_crash(&cluster).await;
        assert_eq!(silo.client().actor::<Hits>("x").both().await, Ok((23, 23)));
    });
}

#[test]
fn a_slot_that_cannot_be_understood_is_named_and_never_overwritten() {
    on_one_silo(|cluster, silo, _| async move {
        book(&silo).enter("one".into()).await.expect("serves");
        let silo = {
            cluster.crash("a");
            cluster.start("a").await.expect("starts again");
            cluster.silo("a").expect("it runs")
        };
        for broken in [&b"\x01\x04tex"[..], b"\xFFqstate\xFF\x00\x00\x00\x00"] {
            overwrite(&cluster, "book", "s/remarks", broken).await;
            let Failure::Corrupt { reason, .. } = failure(book(&silo).deposit(1).await) else {
                panic!("it is corrupt")
            };
            assert!(reason.contains("the slot `remarks`"), "{reason}");
            assert_eq!(&row(&cluster, "book", "s/remarks").expect("it is there").value[..], broken);
        }
    });
}
