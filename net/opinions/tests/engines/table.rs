//! The table as text.

use std::collections::BTreeSet;
use std::fmt::{Display, Write};
use std::path::Path;

/// A case, and what each engine did.
pub struct Row {
    pub case: String,
    pub cells: Vec<String>,
}

/// What is compared with the published page.
#[derive(Default)]
pub struct Table {
    pub transport: Vec<Row>,
    pub streams: Vec<Row>,
    pub store: Vec<Row>,
}

/// Everything that was seen, in one cell.
pub fn seen<T: Display>(all: &BTreeSet<T>) -> String {
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
}

impl Table {
    /// Compares the parts of the page between its marks, and replaces them if that was asked for.
    pub fn compare(&self) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/engines.md");
        let page = std::fs::read_to_string(&path).expect("docs/engines.md is in the tree");
        let mut expected = page.clone();
        let frames = ["simulator", "gRPC on turmoil", "gRPC on sockets", "gRPC between processes"];
        for (name, columns, rows) in [
            ("transport", &frames[..], &self.transport),
            ("streams", &["turmoil", "this machine's kernel"][..], &self.streams),
            ("store", &["simulator", "Redis client on turmoil", "Redis 7 on sockets"][..], &self.store),
        ] {
            let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->"));
            let from = expected.find(&begin).expect("the page has the mark") + begin.len();
            let to = expected.find(&end).expect("the page has the mark");
            expected.replace_range(from..to, &text(columns, rows));
        }
        if std::env::var_os("QUARK_BLESS").is_some() {
            std::fs::write(&path, &expected).expect("the tree can be written to");
            return;
        }
        let differing: Vec<_> = page.lines().zip(expected.lines()).filter(|(a, b)| a != b).collect();
        assert!(
            page == expected,
            "docs/engines.md no longer says what the engines do; if they are right, QUARK_BLESS=1 writes it:\n{differing:#?}"
        );
    }
}

fn text(columns: &[&str], rows: &[Row]) -> String {
    let mut text = format!("| | {} |\n|{}\n", columns.join(" | "), " --- |".repeat(columns.len() + 1));
    for row in rows {
        assert_eq!(row.cells.len(), columns.len(), "{}", row.case);
        writeln!(text, "| {} | {} |", row.case, row.cells.join(" | ")).expect("a string can be written to");
    }
    text
}
