//! The records of a file, and what is wrong with them.

use bytes::Bytes;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt;

/// All records of a file.
pub(super) struct Book {
    records: Vec<Record>,
    /// May add records, and write those of the current version anew.
    overwrites: bool,
    checked: BTreeSet<String>,
    problems: Vec<String>,
}

struct Record {
    kind: String,
    version: u32,
    name: String,
    means: Value,
    bytes: Bytes,
}

const HEAD: &str = "\
# Golden records: what is stored out there, and what it means. Today's code has to read every one of them.
# QUARK_GOLDEN=overwrite adds to this file; see quark_testkit::golden before you use it.
";

impl Book {
    /// Reads a file's text.
    pub fn parse(text: &str, overwrites: bool) -> Result<Self, String> {
        let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
        let lines: Vec<_> = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')).collect();
        let records = lines.chunks(3).map(Record::parse).collect::<Result<_, _>>()?;
        Ok(Self { records, overwrites, checked: BTreeSet::new(), problems: Vec::new() })
    }

    /// Holds the records of a kind against today's code: samples with their encoding and meaning, and how bytes are read.
    pub fn check(
        &mut self,
        kind: &str,
        version: u32,
        samples: impl IntoIterator<Item = (&'static str, Bytes, Value)>,
        load: impl Fn(&[u8]) -> Result<Value, String>,
    ) {
        assert!(!kind.contains(' '), "a kind has no spaces: `{kind}`");
        assert!(self.checked.insert(kind.to_owned()), "`{kind}` is checked twice: give all samples at once");
        for (name, bytes, means) in samples {
            self.sample(Record { kind: kind.into(), version, name: name.into(), means, bytes });
        }
        let overwrites = self.overwrites;
        for record in self.records.iter_mut().filter(|record| record.kind == kind) {
            if record.version > version {
                let problem = format!("{record}: the code has version {version}. Versions never go down.");
                self.problems.push(problem);
                continue;
            }
            match load(&record.bytes) {
                Ok(means) if means == record.means => {}
                Ok(means) if overwrites => record.means = means,
                Ok(means) => {
                    self.problems.push(format!("{record}: it loads as {means}, and meant {}.", record.means))
                }
                Err(error) => self.problems.push(format!("{record}: it does not load any more: {error}.")),
            }
        }
    }

    fn sample(&mut self, sample: Record) {
        let same =
            |r: &&mut Record| (&r.kind, r.version, &r.name) == (&sample.kind, sample.version, &sample.name);
        match self.records.iter_mut().find(same) {
            Some(record) if record.bytes == sample.bytes && record.means == sample.means => {}
            Some(record) if self.overwrites => *record = sample,
            Some(record) => self.problems.push(format!(
                "{record}: today's code writes {} for {}, and it was {} for {}. Give the schema a new version, or take \
                 the change back.",
                hex(&sample.bytes),
                sample.means,
                hex(&record.bytes),
                record.means
            )),
            None if self.overwrites => self.records.push(sample),
            None => self.problems.push(format!(
                "{sample}: there is no such record. Add it with `QUARK_GOLDEN=overwrite cargo test`, and commit it."
            )),
        }
    }

    /// Everything that is wrong.
    pub fn finish(&mut self) -> Vec<String> {
        for record in self.records.iter().filter(|record| !self.checked.contains(&record.kind)) {
            let problem = format!("{record}: nothing reads its kind. What was stored once has to be read.");
            self.problems.push(problem);
        }
        std::mem::take(&mut self.problems)
    }
}

/// As the file has it.
impl fmt::Display for Book {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HEAD)?;
        self.records.iter().try_for_each(|record| {
            write!(f, "\n{record}\nmeans {}\nbytes {}\n", record.means, hex(&record.bytes))
        })
    }
}

impl Record {
    fn parse(lines: &[(usize, &str)]) -> Result<Self, String> {
        let [(at, head), (_, means), (_, bytes)] = lines else {
            return Err(format!("line {}: a record has three lines", lines[0].0));
        };
        let read = || {
            let (kind, rest) = head.strip_prefix("record ")?.split_once(" v")?;
            let (version, name) = rest.split_once(": ")?;
            Some(Self {
                kind: kind.into(),
                version: version.parse().ok()?,
                name: name.into(),
                means: serde_json::from_str(means.strip_prefix("means ")?).ok()?,
                bytes: unhex(bytes.strip_prefix("bytes")?.trim())?,
            })
        };
        read().ok_or_else(|| {
            format!("line {at}: a record is `record kind v1: name`, `means JSON` and `bytes hexadecimal`")
        })
    }
}

/// Its first line.
impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "record {} v{}: {}", self.kind, self.version, self.name)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Bytes> {
    let digits: Vec<u8> =
        text.chars().map(|c| c.to_digit(16).map(|digit| digit as u8)).collect::<Option<_>>()?;
    digits
        .len()
        .is_multiple_of(2)
        .then(|| digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect::<Vec<u8>>().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const FILE: &str = "record purse v1: five\nmeans {\"cents\":5}\nbytes 05\n\nrecord purse v2: six\nmeans {\"cents\":6}\nbytes 0206\n";

    fn sample(cents: u8) -> (&'static str, Bytes, Value) {
        ("six", vec![2, cents].into(), json!({ "cents": cents }))
    }

    fn load(bytes: &[u8]) -> Result<Value, String> {
        match bytes {
            [cents] | [2, cents] => Ok(json!({ "cents": cents })),
            _ => Err("no purse".into()),
        }
    }

    /// What is wrong after a check, and what the file becomes.
    fn check(
        file: &str,
        overwrites: bool,
        version: u32,
        sample: (&'static str, Bytes, Value),
        load: impl Fn(&[u8]) -> Result<Value, String>,
    ) -> (String, String) {
        let mut book = Book::parse(file, overwrites).expect("it is well formed");
        book.check("purse", version, [sample], load);
        (book.finish().join("\n"), book.to_string())
    }

    #[test]
    fn records_that_today_s_code_reads_and_writes_pass_and_stay() {
        let (problems, file) = check(FILE, false, 2, sample(6), load);
        assert_eq!(problems, "");
        assert_eq!(file, format!("{HEAD}\n{FILE}"));
        assert_eq!(Book::parse(&file, false).expect("it reads its own").to_string(), file);
    }

    #[test]
    fn another_encoding_under_the_same_version_fails_until_it_is_asked_for() {
        let (problems, _) = check(FILE, false, 2, sample(7), load);
        assert!(problems.contains("writes 0207") && problems.contains("was 0206"), "{problems}");
        let (problems, file) = check(FILE, true, 2, sample(7), load);
        assert!(problems.is_empty() && file.contains("bytes 0207") && file.contains("bytes 05"), "{file}");
    }

    #[test]
    fn a_missing_record_fails_until_it_is_asked_for() {
        let (problems, _) = check("", false, 2, sample(6), load);
        assert!(problems.contains("QUARK_GOLDEN=overwrite"), "{problems}");
        let (problems, file) = check("", true, 2, sample(6), load);
        assert!(problems.is_empty() && file.contains("record purse v2: six"), "{file}");
    }

    #[test]
    fn an_old_record_that_does_not_load_fails_also_when_asked_to_overwrite() {
        for overwrites in [false, true] {
            let forgets = |bytes: &[u8]| if bytes.len() == 1 { Err("what?".into()) } else { load(bytes) };
            let (problems, _) = check(FILE, overwrites, 2, sample(6), forgets);
            assert!(
                problems.contains("record purse v1: five: it does not load any more: what?"),
                "{problems}"
            );
        }
    }

    #[test]
    fn an_old_record_that_means_something_else_now_fails_and_keeps_its_bytes() {
        let doubles = |bytes: &[u8]| match bytes {
            [cents] => Ok(json!({ "cents": cents * 2 })),
            _ => load(bytes),
        };
        let (problems, _) = check(FILE, false, 2, sample(6), doubles);
        assert!(problems.contains(r#"it loads as {"cents":10}, and meant {"cents":5}"#), "{problems}");
        let (problems, file) = check(FILE, true, 2, sample(6), doubles);
        assert!(problems.is_empty() && file.contains("means {\"cents\":10}\nbytes 05"), "{file}");
    }

    #[test]
    fn a_version_that_went_down_and_a_kind_that_nothing_reads_fail() {
        let (problems, _) = check(FILE, false, 1, ("five", vec![5].into(), json!({ "cents": 5 })), load);
        assert!(problems.contains("Versions never go down"), "{problems}");
        let mut book = Book::parse(FILE, false).expect("it is well formed");
        assert_eq!(book.finish().len(), 2);
    }

    #[test]
    fn a_file_that_is_none_is_refused_with_its_line() {
        for (text, line) in
            [("record purse v1: five\nmeans 5", 1), ("\n#\nrecord purse: x\nmeans 5\nbytes 05", 3)]
        {
            let error = Book::parse(text, false).err().expect("it is not well formed");
            assert!(error.starts_with(&format!("line {line}:")), "{error}");
        }
    }
}
