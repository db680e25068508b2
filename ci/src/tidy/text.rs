//! Rules on any file: size, whitespace, words that do not belong.

use crate::report::Finding;
use crate::tree::File;

/// What one file breaks.
pub fn findings(file: &File) -> Vec<Finding> {
    let mut found = Vec::new();
    if file.bytes > FILE_BYTES_MAX {
        found.push(Finding::new(
            &file.path,
            format!("{} bytes in one file; the limit is {FILE_BYTES_MAX}", file.bytes),
            "keep large data out of the repository, or generate it",
        ));
    }
    let Some(text) = &file.text else { return found };
    if !is_verbatim(&file.path) {
        found.extend(whitespace(&file.path, text));
    }
    for (number, line) in text.lines().enumerate() {
        if let Some(word) = STRAY_WORDS.iter().find(|w| line.contains(**w)) {
            found.push(Finding::new(
                format!("{}:{}", file.path, number + 1),
                format!("`{word}` is a path of somebody's machine"),
                "name it from the root of the repository, or leave it out",
            ));
        }
    }
    found
}

fn whitespace(path: &str, text: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    for (number, line) in text.split('\n').enumerate() {
        let wrong = if line.ends_with('\r') {
            "a carriage return at the end of the line"
        } else if line.ends_with([' ', '\t']) {
            "whitespace at the end of the line"
        } else if path.ends_with(".rs") && line.contains('\t') {
            "a tab"
        } else {
            continue;
        };
        found.push(Finding::new(
            format!("{path}:{}", number + 1),
            wrong,
            "remove it (`cargo fmt` does in code)",
        ));
    }
    if !text.is_empty() && !text.ends_with('\n') {
        found.push(Finding::new(path, "no newline at the end of the file", "add one"));
    }
    found
}

/// Licences, recorded output and lock files: written by others, byte for byte.
fn is_verbatim(path: &str) -> bool {
    path.starts_with("LICENSE")
        || [".snap", ".stderr", ".stdout", ".lock"].iter().any(|end| path.ends_with(end))
}

const FILE_BYTES_MAX: u64 = 1 << 20;

/// Split so that this file does not find itself.
const STRAY_WORDS: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("/tmp/", "wt"),
    concat!("/tmp/", "target"),
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
];
