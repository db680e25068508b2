//! Dead links in the documentation: every relative link, its anchor, and every path of the repository that a
//! Markdown file names between backticks.
//!
//! The second half is what keeps a code map true: rename a file, and the sentence that names it fails.

use crate::report::Finding;
use crate::tree::File;
use std::collections::{BTreeMap, BTreeSet};

/// Every link or named path that leads nowhere.
pub fn findings(files: &[File]) -> Vec<Finding> {
    let tree = Tree::of(files);
    let mut found = Vec::new();
    for file in files.iter().filter(|f| f.path.ends_with(".md")) {
        let Some(text) = &file.text else { continue };
        for (number, line) in prose(text) {
            let place = format!("{}:{number}", file.path);
            for target in links(line) {
                if let Some(wrong) = tree.dead_link(&file.path, target) {
                    found.push(Finding::new(&place, wrong, "mend the link, or take it out"));
                }
            }
            for path in code_spans(line).filter(|s| tree.looks_like_path(s)) {
                if !tree.names_something(path) {
                    found.push(Finding::new(
                        &place,
                        format!("`{path}` looks like a path of the repository, and is none"),
                        "name what exists; what is only planned has no path yet",
                    ));
                }
            }
        }
    }
    found
}

/// The paths of the repository, with their folders, and the headings of its documents.
struct Tree<'a> {
    paths: BTreeSet<&'a str>,
    tops: BTreeSet<&'a str>,
    anchors: BTreeMap<&'a str, BTreeSet<String>>,
}

impl<'a> Tree<'a> {
    fn of(files: &'a [File]) -> Self {
        let mut paths = BTreeSet::new();
        let mut tops = BTreeSet::new();
        let mut anchors = BTreeMap::new();
        for file in files {
            paths.insert(file.path.as_str());
            for (at, _) in file.path.match_indices('/') {
                paths.insert(&file.path[..at]);
            }
            if let Some((top, _)) = file.path.split_once('/') {
                tops.insert(top);
            }
            if let (true, Some(text)) = (file.path.ends_with(".md"), &file.text) {
                anchors.insert(file.path.as_str(), headings(text));
            }
        }
        Self { paths, tops, anchors }
    }

    /// What is wrong with a link, if it is relative and leads nowhere.
    fn dead_link(&self, from: &str, target: &str) -> Option<String> {
        let elsewhere = target.contains("://") || target.starts_with("mailto:") || target.is_empty();
        if elsewhere {
            return None;
        }
        let (path, anchor) = target.split_once('#').map_or((target, None), |(p, a)| (p, Some(a)));
        let path = if path.is_empty() { from.to_owned() } else { resolve(from, path)? };
        if !path.is_empty() && !self.paths.contains(path.as_str()) {
            return Some(format!("the link `{target}` leads to {path}, which does not exist"));
        }
        let known = self.anchors.get(path.as_str())?;
        let missing = anchor.filter(|a| !known.contains(*a))?;
        Some(format!("the link `{target}` leads to {path}, which has no heading `#{missing}`"))
    }

    /// Whether a code span is meant as a path: it starts at a top-level folder and has only a path's characters.
    fn looks_like_path(&self, span: &str) -> bool {
        let span = bare(span);
        let well_formed = span.chars().all(|c| c.is_ascii_alphanumeric() || "_-./*{},".contains(c));
        let top = span.split_once('/').map(|(top, _)| top);
        well_formed && top.is_some_and(|t| self.tops.contains(t))
    }

    /// Whether the path, its alternatives `{a,b}` and its stars `*` each name something.
    fn names_something(&self, span: &str) -> bool {
        expand(bare(span)).iter().all(|path| match path.split_once('*') {
            None => self.paths.contains(path.as_str()),
            Some((start, _)) => self.paths.iter().any(|p| p.starts_with(start)),
        })
    }
}

/// A code span without what may be joined to a path: `./` before, `::function`, `:line` and `/` behind.
fn bare(span: &str) -> &str {
    let span = span.strip_prefix("./").unwrap_or(span);
    span.split(':').next().unwrap_or(span).trim_end_matches('/')
}

/// `a/{b,c}` → `a/b`, `a/c`.
fn expand(path: &str) -> Vec<String> {
    let Some((before, rest)) = path.split_once('{') else { return vec![path.to_owned()] };
    let Some((choices, after)) = rest.split_once('}') else { return vec![path.to_owned()] };
    choices.split(',').flat_map(|choice| expand(&format!("{before}{choice}{after}"))).collect()
}

/// The path that a link in `from` leads to. `None` when it leaves the repository.
fn resolve(from: &str, link: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    if link.starts_with('/') {
        parts.clear();
    }
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => _ = parts.pop()?,
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

/// The lines outside fenced code, numbered from 1.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(at, line)| {
        let fence = line.trim_start().starts_with("```") || line.trim_start().starts_with("~~~");
        fenced ^= fence;
        (!fenced && !fence).then_some((at + 1, line))
    })
}

/// The targets of `[text](target)` and `[name]: target`.
fn links(line: &str) -> Vec<&str> {
    let inline = line.match_indices("](").filter_map(|(at, _)| {
        let target = &line[at + 2..];
        target.find(')').map(|end| target[..end].split_whitespace().next().unwrap_or(""))
    });
    let definition =
        line.strip_prefix('[').and_then(|l| l.split_once("]: ")).map(|(_, target)| target.trim());
    inline.chain(definition).collect()
}

/// What stands between single backticks.
fn code_spans(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// The anchors that a Markdown renderer gives to a document's headings.
fn headings(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    for (_, line) in prose(text) {
        let title = line.trim_start_matches('#');
        if title.len() == line.len() || !title.starts_with(' ') {
            continue;
        }
        let kept = title.trim().to_lowercase().replace(' ', "-");
        let anchor: String = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect();
        let repeated = (1..).map(|n| format!("{anchor}-{n}")).find(|a| !anchors.contains(a));
        if !anchors.insert(anchor) {
            anchors.extend(repeated);
        }
    }
    anchors
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &[&str]) {
        let files = [
            File::fake("docs/a.md", text),
            File::fake("docs/b.md", "# Two words, and `code`\n## Twice\n## Twice\n"),
            File::fake("runtime/core/src/ids.rs", ""),
            File::fake("runtime/env/src/lib.rs", ""),
            File::fake("ci/test", ""),
        ];
        let found = findings(&files);
        assert_eq!(found.len(), expect.len(), "{text}: {found:#?}");
        for (finding, wanted) in found.iter().zip(expect) {
            assert!(finding.message.contains(wanted), "`{wanted}` not in {finding:?}");
        }
    }

    #[test]
    fn a_relative_link_leads_somewhere() {
        check("[b](b.md) [b](../docs/b.md) [root](/ci/test) [web](https://x.org/y) [dir](../runtime)\n", &[]);
        check("[b](c.md)\n", &["docs/c.md, which does not exist"]);
        check("[b](b.md#two-words-and-code) [b](b.md#twice-1) [self](#here)\n# Here\n", &[]);
        check("[b](b.md#three)\n", &["no heading `#three`"]);
        check("[b]: c.md\n", &["docs/c.md"]);
        check("```\n[b](c.md)\n```\n", &[]);
    }

    #[test]
    fn a_path_between_backticks_exists() {
        check("`runtime/core/src/ids.rs` `runtime/core/` `./ci/test` `ci/test --all`\n", &[]);
        check(
            "`runtime/core/src/ids.rs::new` `runtime/{core,env}` `runtime/*` `runtime/core/src/ids.rs:12`\n",
            &[],
        );
        check("`runtime/gone.rs`\n", &["`runtime/gone.rs`"]);
        check("`runtime/{core,gone}`\n", &["`runtime/{core,gone}`"]);
        check("`and/or` `Vec<u8>` `10/s`\n", &[]);
    }
}
