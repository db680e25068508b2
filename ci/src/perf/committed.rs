//! The committed figures: benches/hot_paths.toml.
//!
//! Read by hand, as the one table that it is, so that this crate needs no reader of all of TOML. What is not understood is
//! refused: a figure that is skipped would gate nothing.

use super::compare::Row;
use super::number;
use crate::run::output;
use anyhow::{Context, Result, bail, ensure};
use std::collections::BTreeMap;
use std::process::Command;

/// What the counts of a build depend on beside the code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    /// `rustc 1.95.0 (…)`.
    pub rustc: String,
    /// `valgrind-3.19.0`.
    pub valgrind: String,
    /// The processor: `x86_64`.
    pub arch: String,
}

impl Origin {
    /// This machine's.
    pub fn here(valgrind: &str) -> Result<Self> {
        // What cargo asks for the compiler, toolchain overrides included.
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let said = output(Command::new(rustc).arg("--version"))?;
        Ok(Self {
            rustc: said.trim().to_owned(),
            valgrind: valgrind.to_owned(),
            arch: std::env::consts::ARCH.into(),
        })
    }
}

/// The file.
#[derive(Debug, PartialEq)]
pub(super) struct Committed {
    /// How the figures were taken.
    pub origin: Origin,
    figures: BTreeMap<String, f64>,
}

impl Committed {
    /// Reads the file; `None` if there is none yet.
    pub fn read(path: &str) -> Result<Option<Self>> {
        match std::fs::read_to_string(path) {
            Ok(text) => Ok(Some(parse(&text).with_context(|| format!("{path} cannot be read"))?)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("{path} cannot be opened")),
        }
    }

    /// Writes it anew.
    pub fn write(&self, path: &str) -> Result<()> {
        std::fs::write(path, self.text()).with_context(|| format!("{path} cannot be written"))
    }

    /// What was counted, over what was committed if only `some` of the paths were counted.
    pub fn with(before: Option<Self>, origin: Origin, rows: &[Row], some: bool) -> Self {
        let kept = before.filter(|_| some).map(|file| file.figures);
        let mut figures = kept.unwrap_or_default();
        figures.extend(rows.iter().filter_map(|row| Some((row.path.clone(), row.counted?))));
        Self { origin, figures }
    }

    /// The figure of a path.
    pub fn figure(&self, path: &str) -> Option<f64> {
        self.figures.get(path).copied()
    }

    /// All of them, by name.
    pub fn figures(&self) -> impl Iterator<Item = (&str, f64)> {
        self.figures.iter().map(|(name, figure)| (name.as_str(), *figure))
    }

    fn text(&self) -> String {
        let Origin { rustc, valgrind, arch } = &self.origin;
        let mut text =
            format!("{HEAD}rustc = \"{rustc}\"\nvalgrind = \"{valgrind}\"\narch = \"{arch}\"\n\n{TABLE}\n");
        for (name, figure) in &self.figures {
            text += &format!("{name} = {figure:.1}\n");
        }
        text
    }
}

const HEAD: &str = "\
# Instructions of an operation of each hot path: what `cargo ci perf` compares with, within 2 %.
# Taken by callgrind from the release build: a run of 2 N operations less one of N, divided by N.
# Written by `cargo ci perf --write`; what each operation is says `hot_paths --list`.
";
const TABLE: &str = "[instructions_per_operation]";

fn parse(text: &str) -> Result<Committed> {
    let (mut head, mut figures, mut is_head) = (BTreeMap::new(), BTreeMap::new(), true);
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if line == TABLE && is_head {
            is_head = false;
            continue;
        }
        let place = || format!("line {}, `{line}`", at + 1);
        let (key, value) = line.split_once('=').with_context(place)?;
        let (key, value) = (key.trim().to_owned(), value.trim());
        let is_new = if is_head {
            let quoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
            head.insert(key, quoted.with_context(place)?.to_owned()).is_none()
        } else {
            let figure: f64 = number(value, "number of instructions").with_context(place)?;
            ensure!(figure.is_finite() && figure > 0.0, "{}: no operation is free", place());
            figures.insert(key, figure).is_none()
        };
        ensure!(is_new, "{}: that key is there twice", place());
    }
    if is_head {
        bail!("it has no table `{TABLE}`");
    }
    let mut said = |key: &str| head.remove(key).with_context(|| format!("it does not say its `{key}`"));
    let origin = Origin { rustc: said("rustc")?, valgrind: said("valgrind")?, arch: said("arch")? };
    ensure!(head.is_empty(), "unknown keys: {}", head.into_keys().collect::<Vec<_>>().join(", "));
    Ok(Committed { origin, figures })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin() -> Origin {
        Origin { rustc: "rustc 1".into(), valgrind: "valgrind-3".into(), arch: "x86_64".into() }
    }

    fn row(path: &str, counted: Option<f64>) -> Row {
        Row { path: path.into(), counted, committed: None }
    }

    #[test]
    fn what_is_written_is_read() {
        let rows = [row("tell", Some(17.25)), row("ask-sync", Some(1000.0)), row("gone", None)];
        let written = Committed::with(None, origin(), &rows, false);
        let read = parse(&written.text()).expect("just written");
        assert_eq!(read.origin, origin());
        assert_eq!(read.figures().collect::<Vec<_>>(), [("ask-sync", 1000.0), ("tell", 17.2)]);
        assert_eq!((read.figure("tell"), read.figure("gone")), (Some(17.2), None));
    }

    #[test]
    fn some_paths_leave_the_others_as_they_were() {
        let before = Committed::with(None, origin(), &[row("ask", Some(1.0)), row("tell", Some(2.0))], false);
        let after = Committed::with(Some(before), origin(), &[row("ask", Some(3.0))], true);
        assert_eq!(after.figures().collect::<Vec<_>>(), [("ask", 3.0), ("tell", 2.0)]);
        let anew = Committed::with(Some(after), origin(), &[row("ask", Some(4.0))], false);
        assert_eq!(anew.figures().collect::<Vec<_>>(), [("ask", 4.0)]);
    }

    #[test]
    fn a_file_that_says_something_else_is_refused() {
        let good = Committed::with(None, origin(), &[row("ask", Some(1.0))], false).text();
        assert!(parse(&good).is_ok());
        let refused = |change: &dyn Fn(&str) -> String, why: &str| {
            let error = format!("{:#}", parse(&change(&good)).expect_err(why));
            assert!(error.contains(why), "{error}");
        };
        refused(&|text| text.replace(TABLE, ""), "`ask = 1.0`");
        refused(&|_| String::new(), "no table");
        refused(&|text| text.replace("rustc =", "compiler ="), "`rustc`");
        refused(&|text| format!("what = \"else\"\n{text}"), "unknown keys: what");
        refused(&|text| text.replace("1.0", "few"), "`few` is no number");
        refused(&|text| text.replace("1.0", "0"), "no operation is free");
        refused(&|text| text.replace("1.0", "NaN"), "no operation is free");
        refused(&|text| format!("{text}ask = 2.0\n"), "there twice");
        refused(&|text| format!("{text}ask\n"), "`ask`");
        refused(&|text| format!("{text}[other]\n"), "`[other]`");
    }
}
