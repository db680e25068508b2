//! Rules on Rust code: what may not be called, left behind, silenced or grown too long.

use super::allowed::{self, among};
use crate::report::Finding;
use crate::source::Source;

/// What one file breaks. Specimens of wrong code, kept to see them refused, break nothing.
pub fn findings(path: &str, source: &Source) -> Vec<Finding> {
    if path.contains("/tests/ui/") {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (at, code) in source.code.iter().enumerate() {
        let is_test = source.in_test_module[at] || is_test_file(path);
        for ban in BANS.iter().filter(|b| (b.applies)(path, is_test)) {
            if let Some(text) = ban.texts.iter().find(|t| contains_word(code, t)) {
                let place = format!("{path}:{}", at + 1);
                found.push(Finding::new(place, format!("`{text}` {}", ban.wrong), ban.remedy));
            }
        }
    }
    found.extend(silenced_lints(path, source));
    found.extend(unsafe_code(path, source));
    found.extend(length(path, source));
    found.extend(undocumented(path, source));
    found
}

/// Text that may not stand in code, and where.
struct Ban {
    texts: &'static [&'static str],
    applies: fn(path: &str, is_test: bool) -> bool,
    wrong: &'static str,
    remedy: &'static str,
}

const BANS: &[Ban] = &[
    Ban {
        // The order in which these look at their branches is random, and clippy sees only their expansion.
        texts: &[
            "tokio::select",
            "futures::select",
            "futures_util::select",
            "select_biased!",
            "futures::select_biased",
        ],
        applies: |path, _| !path.starts_with("net/") && !is_measure(path),
        wrong: "polls its branches in an order that no seed decides",
        remedy: "poll the branches by hand, in a fixed order (`std::future::poll_fn`)",
    },
    Ban {
        texts: &["todo!", "unimplemented!", "dbg!"],
        applies: |_, _| true,
        wrong: "was left behind",
        remedy: "write the code, return an error, or take the line out",
    },
    Ban {
        texts: &["#[ignore"],
        applies: |_, _| true,
        wrong: "makes a test that nobody runs",
        remedy: "mend the test, or delete it and say why in the commit",
    },
    Ban {
        texts: &["thread::sleep", "time::sleep", "time::sleep_until"],
        applies: |path, is_test| is_test && !among(allowed::SLEEPING_TESTS, path),
        wrong: "in a test: it is slow when it is right and flaky when it is wrong",
        remedy: "wait for the event itself, or run on virtual time; if it really has to wait for the world, add a \
                 row with the reason to ci/src/tidy/allowed.rs",
    },
    Ban {
        texts: &[".unwrap()"],
        applies: |path, is_test| !is_test && !is_measure(path),
        wrong: "panics without saying why it could not fail",
        remedy: "`expect(\"why it cannot fail\")`, or return the error",
    },
];

/// A lint that is switched off needs its reason beside it: in the attribute, or in a comment on it or above.
fn silenced_lints(path: &str, source: &Source) -> Vec<Finding> {
    let mut found = Vec::new();
    for (at, code) in source.code.iter().enumerate() {
        let attribute = ["#[allow(", "#![allow(", "#[expect(", "#![expect("].iter().any(|a| code.contains(a));
        if !attribute {
            continue;
        }
        let end = (at..source.code.len()).find(|l| source.code[*l].contains(")]")).unwrap_or(at);
        let in_attribute = source.code[at..=end].iter().any(|l| contains_word(l, "reason"));
        let commented =
            source.raw[at].contains("//") || (at > 0 && source.raw[at - 1].trim_start().starts_with("//"));
        if !in_attribute && !commented {
            found.push(Finding::new(
                format!("{path}:{}", at + 1),
                "a lint is silenced without a reason",
                "`#[expect(the_lint, reason = \"why it is wrong here\")]`",
            ));
        }
    }
    found
}

/// `unsafe` stands only where the table says, and there under a comment that says why it holds.
fn unsafe_code(path: &str, source: &Source) -> Vec<Finding> {
    let Some(first) = source.code.iter().position(|l| contains_word(l, "unsafe")) else { return Vec::new() };
    let place = format!("{path}:{}", first + 1);
    if !among(allowed::UNSAFE, path) {
        return vec![Finding::new(
            place,
            "`unsafe` in a file that is not listed for it",
            "do without, or add a row with the reason to ci/src/tidy/allowed.rs",
        )];
    }
    if !source.raw.iter().any(|l| l.contains("SAFETY:")) {
        return vec![Finding::new(
            place,
            "`unsafe` without a `SAFETY:` comment",
            "write above it why every requirement of the callee holds",
        )];
    }
    Vec::new()
}

fn length(path: &str, source: &Source) -> Option<Finding> {
    let lines = source.raw.len();
    (lines > LINES_MAX && !among(allowed::LONG, path)).then(|| {
        Finding::new(
            path,
            format!("{lines} lines; the limit is {LINES_MAX}"),
            "ask which second concept moved in, and give it a file; tests move to foo/tests.rs",
        )
    })
}

/// Every library but the measures' denies undocumented items at its root.
fn undocumented(path: &str, source: &Source) -> Option<Finding> {
    let is_library = path.ends_with("src/lib.rs") && !is_measure(path);
    let denies = source
        .code
        .iter()
        .any(|l| l.contains("#![deny(missing_docs)]") || l.contains("#![forbid(missing_docs)]"));
    (is_library && !denies).then(|| {
        Finding::new(
            path,
            "a public crate that does not deny undocumented items",
            "put `#![deny(missing_docs)]` at its head",
        )
    })
}

/// Tests in files of their own.
fn is_test_file(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs")
}

/// Programs that measure, demonstrate or build: they may do what the runtime may not.
fn is_measure(path: &str) -> bool {
    path.starts_with("benches/")
        || path.starts_with("examples/")
        || path.contains("/examples/")
        || path.contains("/benches/")
}

/// Whether `text` stands in `code` with no letter, digit or underscore joined to either end that has one.
fn contains_word(code: &str, text: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let (opens, closes) = (text.starts_with(is_word), text.ends_with(is_word));
    code.match_indices(text).any(|(at, _)| {
        let joined_before = opens && code[..at].ends_with(is_word);
        let joined_after = closes && code[at + text.len()..].starts_with(is_word);
        !joined_before && !joined_after
    })
}

const LINES_MAX: usize = 600;
