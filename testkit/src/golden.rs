//! Golden records: bytes that earlier code has stored, kept in the repository, so that today's code is held to them.
//!
//! A file of them is text, one record after the other: the kind and its schema version, what the sample is called, what
//! it means as JSON, and its bytes in hexadecimal.
//!
//! ```text
//! record account v1: after a deposit
//! means {"balance":5,"deposits":1}
//! bytes 0501
//! ```
//!
//! A test loads every record with today's code, through the upgrades if its version is an earlier one, and compares what
//! comes out with what the file says. And it encodes today's samples: if one has other bytes than the file, the schema has
//! changed without a new version, and stores out there could not be read any more.
//!
//! `QUARK_GOLDEN=overwrite cargo test` adds what is missing, and writes anew what has changed of the *current* version; that
//! is right for a version that nobody has run yet, and for no other. Bytes of earlier versions are never touched. Read
//! the difference before you commit it.

mod book;

use book::Book;
use bytes::Bytes;
use quark::Actor;
use quark::rows::RowKind;
use quark::stored::{load_state, open};
use quark_core::ActorId;
use serde::Serialize;
use serde_json::Value;
use std::fmt::Display;
use std::path::{Path, PathBuf};

/// A file of golden records, held against today's code kind by kind.
///
/// ```no_run
/// use quark::{Deserialize, Serialize};
/// use quark_testkit::golden::Golden;
///
/// #[derive(Deserialize)]
/// struct StockV1 { count: u32 }
///
/// #[derive(Default, Serialize, Deserialize)]
/// struct Stock { count: u64, reserved: u64 }
///
/// impl From<StockV1> for Stock {
///     fn from(old: StockV1) -> Self {
///         Stock { count: old.count.into(), reserved: 0 }
///     }
/// }
///
/// #[quark::actor(kind = "stock", durable, version = 2, upgrades(StockV1))]
/// impl Stock {
///     fn count(&self) -> u64 { self.count }
/// }
///
/// // In a #[test]; the file lies beside the sources and is committed.
/// let mut golden = Golden::open(concat!(env!("CARGO_MANIFEST_DIR"), "/golden/stock.txt"));
/// golden.actor([("empty", Stock::default()), ("half reserved", Stock { count: 10, reserved: 5 })]);
/// golden.finish();
/// ```
pub struct Golden {
    path: PathBuf,
    book: Book,
}

impl Golden {
    /// Reads a file of golden records. One that does not exist has none.
    ///
    /// Panics: if the file cannot be read, or is no file of golden records.
    pub fn open(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref().to_owned();
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => panic!("{} cannot be read: {error}", path.display()),
        };
        let book =
            Book::parse(&text, overwrites()).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self { path, book }
    }

    /// Checks the states of a kind: that every record of it loads as what the file says, and that today's code still
    /// encodes these samples of the current version as it did.
    ///
    /// Panics: if a sample cannot be encoded, or JSON cannot hold it.
    pub fn actor<A: Actor + Serialize>(&mut self, samples: impl IntoIterator<Item = (&'static str, A)>) {
        let json = |state: &A| serde_json::to_value(state).expect("JSON can hold the sample");
        let samples = samples.into_iter().map(|(name, state)| {
            let record = state.encode_state().unwrap_or_else(|error| panic!("sample `{name}`: {error}"));
            (name, record, json(&state))
        });
        self.book.check(A::KIND, A::STATE_VERSION, samples, |record| {
            load_state::<A>(record).map(|state| json(&state)).map_err(|error| error.to_string())
        });
    }

    /// Checks the slots of a kind's state, each under `{kind}/{slot}`: that every record loads as what the file says, and
    /// that today's code still encodes the slots of these samples as it did. What [`Golden::actor`] checks is the rest of
    /// the state.
    ///
    /// Panics: if a slot of a sample cannot be encoded, or JSON cannot hold it.
    pub fn slots<A: Actor>(&mut self, samples: &[(&'static str, A)]) {
        let nobody = ActorId::new(A::KIND, "golden").expect("a kind is valid");
        for slot in A::SLOTS {
            let json = |state: &A| (slot.to_json)(state).map_err(|error| error.to_string());
            let samples = samples.iter().map(|(name, state)| {
                let fails =
                    |error: &dyn Display| -> ! { panic!("slot `{}` of sample `{name}`: {error}", slot.name) };
                let record = (slot.encode)(state).unwrap_or_else(|error| fails(&error));
                (*name, record, json(state).unwrap_or_else(|error| fails(&error)))
            });
            self.book.check(&format!("{}/{}", A::KIND, slot.name), slot.version, samples, |record| {
                let (version, content) = open(record).map_err(|error| error.to_string())?;
                let mut state = A::create(&nobody);
                (slot.load)(&mut state, version, content).map_err(|error| error.to_string())?;
                json(&state)
            });
        }
    }

    /// Checks a kind of the runtime's rows, which have one version. The samples are what they mean.
    ///
    /// Panics: if a sample is no row of this kind.
    pub fn row(&mut self, kind: RowKind, samples: impl IntoIterator<Item = (&'static str, Value)>) {
        let samples = samples.into_iter().map(|(name, means)| {
            let bytes = kind.write(&means).unwrap_or_else(|error| panic!("sample `{name}`: {error}"));
            (name, bytes, means)
        });
        self.book.check(kind.name(), 1, samples, |row| kind.read(row).map_err(|error| error.to_string()));
    }

    /// Checks values of any other kind: samples with their encoding of today and their meaning, and how bytes of this or
    /// an earlier version are read.
    pub fn values(
        &mut self,
        kind: &str,
        version: u32,
        samples: impl IntoIterator<Item = (&'static str, Bytes, Value)>,
        load: impl Fn(&[u8]) -> Result<Value, String>,
    ) {
        self.book.check(kind, version, samples, load);
    }

    /// Ends the test, or writes the file anew if that was asked for.
    ///
    /// Panics: if anything was wrong, with all of it and what to do about it; if the file has records of a kind that was
    /// not checked; if the file cannot be written.
    pub fn finish(self) {
        let Self { path, mut book } = self;
        if overwrites() {
            let parent = path.parent().expect("a file has a folder");
            std::fs::create_dir_all(parent)
                .and_then(|()| std::fs::write(&path, book.to_string()))
                .unwrap_or_else(|error| panic!("{} cannot be written: {error}", path.display()));
        }
        let problems = book.finish();
        assert!(problems.is_empty(), "{}:\n{}", path.display(), problems.join("\n"));
    }
}

#[expect(clippy::disallowed_methods, reason = "an explicit command of the person who runs the tests")]
fn overwrites() -> bool {
    match std::env::var("QUARK_GOLDEN") {
        Ok(value) if value == "overwrite" => true,
        Ok(other) => panic!("QUARK_GOLDEN is `{other}`; there is only `overwrite`"),
        Err(_) => false,
    }
}
