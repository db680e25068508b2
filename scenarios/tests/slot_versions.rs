//! What becomes of slots when the code that wrote them has changed: each has a schema of its own.

use quark::core::ActorId;
use quark::env::store::Record;
use quark::{Deserialize, Failure, Happened, Serialize, SiloBuilder, Slot};
use quark_sim::{Config, World};
use quark_testkit::sim::SimCluster;
use quark_testkit::stage::Stage;
use std::sync::Arc;

/// All rows of the shelf `x`.
fn rows(cluster: &SimCluster) -> Vec<Record> {
    let world = cluster.world();
    let partition =
        world.partitions().into_iter().find(|p| p.0.ends_with("shelf/x")).expect("it was claimed");
    world.peek_partition(&partition).expect("readable")
}

fn row(cluster: &SimCluster, name: &str) -> Option<Record> {
    rows(cluster).into_iter().find(|record| &*record.key.row == name)
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// The shelf as four programs have it. At first it has no slot.
mod first {
    use super::*;

    #[derive(Default, Serialize, Deserialize)]
    pub struct Shelf {
        pub count: u64,
        pub books: Vec<String>,
    }

    #[quark::actor(kind = "shelf", durable)]
    impl Shelf {
        fn put(&mut self, title: String) {
            self.count += 1;
            self.books.push(title);
        }
    }
}

/// The books have become a slot.
mod second {
    use super::*;

    #[quark::state]
    #[derive(Default, Serialize, Deserialize)]
    pub struct Shelf {
        pub count: u64,
        pub books: Slot<Vec<String>>,
    }

    impl From<first::Shelf> for Shelf {
        fn from(old: first::Shelf) -> Self {
            Self { count: old.count, books: Slot::new(old.books) }
        }
    }

    #[quark::actor(kind = "shelf", durable, version = 2, upgrades(first::Shelf))]
    impl Shelf {
        fn put(&mut self, title: String) {
            self.count += 1;
            self.books.push(title);
        }

        fn take(&mut self) {
            self.count -= 1;
        }

        fn content(&self) -> (u64, Vec<String>) {
            (self.count, self.books.to_vec())
        }
    }
}

/// Each book has got a number; there is one slot more. Nobody ever ran the slot's second version.
mod third {
    use super::*;

    #[derive(Deserialize)]
    struct BooksV2(Vec<(String, u8)>);

    #[derive(Default, Serialize, Deserialize)]
    pub struct Books(Vec<(String, u64)>);

    impl From<Vec<String>> for BooksV2 {
        fn from(old: Vec<String>) -> Self {
            Self(old.into_iter().zip(1..).collect())
        }
    }

    impl From<BooksV2> for Books {
        fn from(old: BooksV2) -> Self {
            Self(old.0.into_iter().map(|(title, number)| (title, number.into())).collect())
        }
    }

    #[quark::state]
    #[derive(Default, Serialize, Deserialize)]
    pub struct Shelf {
        count: u64,
        #[quark(version = 3, upgrades(Vec<String>, BooksV2))]
        books: Slot<Books>,
        label: Slot<String>,
    }

    impl From<first::Shelf> for Shelf {
        fn from(old: first::Shelf) -> Self {
            let books = Books::from(BooksV2::from(old.books));
            Self { count: old.count, books: Slot::new(books), label: Slot::default() }
        }
    }

    #[quark::actor(kind = "shelf", durable, version = 2, upgrades(first::Shelf))]
    impl Shelf {
        fn put(&mut self, title: String) {
            self.count += 1;
            let number = self.count;
            self.books.0.push((title, number));
        }

        fn count(&mut self) -> u64 {
            self.count += 1;
            self.count
        }

        fn name(&mut self, label: String) {
            *self.label = label;
        }

        fn content(&self) -> (Vec<(String, u64)>, String) {
            (self.books.0.clone(), self.label.clone().to_string())
        }
    }
}

/// The books are gone again.
mod fourth {
    use super::*;

    #[quark::state]
    #[derive(Default, Serialize, Deserialize)]
    pub struct Shelf {
        count: u64,
        label: Slot<String>,
    }

    impl From<first::Shelf> for Shelf {
        fn from(old: first::Shelf) -> Self {
            Self { count: old.count, label: Slot::default() }
        }
    }

    #[quark::actor(kind = "shelf", durable, version = 2, upgrades(first::Shelf))]
    impl Shelf {
        fn name(&mut self, label: String) -> u64 {
            self.count += 1;
            *self.label = label;
            self.count
        }
    }
}

/// Runs a story in which one silo after the other is of another program.
fn programs<F: Future<Output = ()>>(story: impl FnOnce([SimCluster; 4]) -> F) {
    let mut world = World::new(Config::calm(7));
    let handle = world.handle();
    let cluster = |describe: fn(SiloBuilder) -> SiloBuilder| {
        SimCluster::new(handle.clone(), "shelves", Arc::new(describe), None)
    };
    let all = [
        cluster(|builder| builder.actor::<first::Shelf>()),
        cluster(|builder| builder.actor::<second::Shelf>()),
        cluster(|builder| builder.actor::<third::Shelf>()),
        cluster(|builder| builder.actor::<fourth::Shelf>()),
    ];
    world.block_on(async { story(all).await });
}

/// Starts a silo of this program.
async fn run(cluster: &SimCluster, name: &str) -> quark::Client {
    cluster.start_all(&[name]).await;
    cluster.silo(name).expect("it runs").client()
}

#[test]
fn a_part_of_the_state_becomes_a_slot_with_the_next_commit_and_no_crash_parts_them() {
    programs(|[one, two, ..]| async move {
        run(&one, "one").await.actor::<first::Shelf>("x").put("Emma".into()).await.expect("serves");
        one.stop("one").await;
        for takes in [false, true] {
            let shelf = run(&two, "two").await.actor::<second::Shelf>("x");
            assert_eq!(shelf.content().await, Ok((1, texts(&["Emma"]))), "upgraded in memory");
            if takes {
                shelf.take().await.expect("serves");
            }
            two.crash("two");
        }
        assert_eq!(&row(&two, "s/books").expect("it has moved").value[..], b"\x01\x04Emma");
        let shelf = run(&two, "two").await.actor::<second::Shelf>("x");
        assert_eq!(shelf.content().await, Ok((0, texts(&["Emma"]))), "a turn that did not touch it moved it");
    });
}

#[test]
fn a_slot_is_upgraded_when_it_is_loaded_and_written_when_it_changes() {
    programs(|[_, two, three, _]| async move {
        run(&two, "two").await.actor::<second::Shelf>("x").put("Emma".into()).await.expect("serves");
        two.stop("two").await;
        let before = row(&two, "s/books").expect("it was committed");
        let shelf = run(&three, "three").await.actor::<third::Shelf>("x");
        let emma = ("Emma".to_owned(), 1);
        assert_eq!(shelf.content().await, Ok((vec![emma.clone()], String::new())), "the new slot is empty");
        assert_eq!(shelf.count().await, Ok(2));
        assert_eq!(row(&three, "s/books"), Some(before), "not by a turn that has not changed it");
        assert_eq!(row(&three, "s/label"), None);
        shelf.put("Lady Susan".into()).await.expect("serves");
        shelf.name("Austen".into()).await.expect("serves");
        let record = row(&three, "s/books").expect("it was committed").value;
        let (version, content) = quark::stored::open(&record).expect("it has a header");
        assert_eq!((version, content), (3, &b"\x02\x04Emma\x01\x0ALady Susan\x03"[..]));
        three.crash("three");
        let shelf = run(&three, "three-again").await.actor::<third::Shelf>("x");
        let content = (vec![emma, ("Lady Susan".into(), 3)], "Austen".to_owned());
        assert_eq!(shelf.content().await, Ok(content));
    });
}

#[test]
fn a_slot_of_a_newer_program_is_refused_by_name_and_left_as_it_is() {
    programs(|[_, two, three, _]| async move {
        run(&three, "three").await.actor::<third::Shelf>("x").put("Emma".into()).await.expect("serves");
        three.stop("three").await;
        let before = rows(&three);
        let shelf = run(&two, "two").await.actor::<second::Shelf>("x");
        for _ in 0..2 {
            let refused = shelf.put("Persuasion".into()).await.expect_err("it cannot be read");
            let refused = refused.failure().cloned().expect("of the runtime");
            let expected = Failure::NewerState {
                actor: ActorId::new("shelf", "x").expect("valid"),
                slot: Some("books".into()),
                stored: 3,
                known: 1,
            };
            assert_eq!(refused, expected);
            assert!(refused.to_string().contains("the slot `books` of shelf/x has version 3"), "{refused}");
            assert_eq!((refused.happened(), refused.may_retry()), (Happened::No, false));
        }
        assert_eq!(rows(&two), before, "nobody touched it, not its owner row either");
        two.stop("two").await;
        let shelf = run(&three, "three-again").await.actor::<third::Shelf>("x");
        assert_eq!(shelf.content().await.map(|(books, _)| books.len()), Ok(1));
    });
}

#[test]
fn the_row_of_a_slot_that_is_gone_stays_and_is_there_when_it_comes_back() {
    programs(|[_, _, three, four]| async move {
        run(&three, "three").await.actor::<third::Shelf>("x").put("Emma".into()).await.expect("serves");
        three.stop("three").await;
        let before = row(&three, "s/books");
        let shelf = run(&four, "four").await.actor::<fourth::Shelf>("x");
        assert_eq!(shelf.name("Austen".into()).await, Ok(2));
        four.stop("four").await;
        assert_eq!(row(&four, "s/books"), before);
        let shelf = run(&three, "three-again").await.actor::<third::Shelf>("x");
        assert_eq!(shelf.content().await, Ok((vec![("Emma".into(), 1)], "Austen".into())));
    });
}
