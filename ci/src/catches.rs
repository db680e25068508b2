//! The page of defects, docs/hollow.md: each row names what catches its defect here, and what it names exists.
//!
//! A proof that has been renamed or deleted is found at the row that relies on it. That it *catches* is the gate's to
//! say (`cargo ci mutants`), and the tests'.

use crate::mutants;
use crate::report::Finding;
use crate::tree::File;

/// The page.
const PAGE: &str = "docs/hollow.md";
/// What stands in the last cell of a row whose feature does not exist.
const NOT_YET: &str = "not there yet";

/// Every row without a catch, and every catch that does not exist.
pub fn findings(files: &[File]) -> Vec<Finding> {
    let Some(text) = files.iter().find(|f| f.path == PAGE).and_then(|f| f.text.as_deref()) else {
        return Vec::new();
    };
    let mut is_table = false;
    let mut found = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let cells = line.strip_prefix("| ").and_then(|row| row.strip_suffix(" |"));
        let last = cells.and_then(|cells| cells.rsplit(" | ").next());
        is_table = last == Some(HEAD) || is_table && last.is_some();
        if let Some(cell) = last.filter(|cell| is_table && *cell != HEAD && *cell != "---") {
            found.extend(of_row(files, at + 1, cell));
        }
    }
    found
}

/// The head of the last column.
const HEAD: &str = "caught by";

fn of_row(files: &[File], number: usize, cell: &str) -> Vec<Finding> {
    let place = format!("{PAGE}:{number}");
    let named: Vec<&str> = cell.split('`').skip(1).step_by(2).collect();
    if named.is_empty() && !cell.contains(NOT_YET) {
        let wrong = "nothing is named that catches this defect";
        let remedy = format!("name a planted bug, a story or a test (`path.rs::name`), or say \"{NOT_YET}\"");
        return vec![Finding::new(place, wrong, remedy)];
    }
    let missing = named.into_iter().filter(|name| !exists(files, name));
    missing
        .map(|name| {
            let wrong = format!("`{name}` is no planted bug, no story and no test");
            Finding::new(&place, wrong, "name what catches the defect now; nothing else keeps it out")
        })
        .collect()
}

/// Whether there is a planted bug, a story or a test of this name.
fn exists(files: &[File], name: &str) -> bool {
    if let Some((path, test)) = name.split_once("::") {
        let file = files.iter().find(|f| f.path == path).and_then(|f| f.text.as_deref());
        return file.is_some_and(|text| text.contains(&format!("fn {test}(")));
    }
    let story = format!("name: \"{name}\",");
    let stories = files.iter().filter(|f| f.path.starts_with("scenarios/src/stories/"));
    mutants::REGISTRY.iter().any(|m| m.id == name)
        || stories.filter_map(|f| f.text.as_deref()).any(|text| text.contains(&story))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(last: &str) -> Vec<String> {
        let other = "| a | why not yet |\n| --- | --- |\n| b | c |\n";
        let page = format!("{other}\n| defect | caught by |\n| --- | --- |\n| a | {last} |\n\n{other}");
        let files = [
            File::fake(PAGE, &page),
            File::fake("scenarios/src/stories/a.rs", "    name: \"zombie-silo\",\n"),
            File::fake("net/redis/tests/a.rs", "#[test]\nfn it_holds() {}\n"),
        ];
        findings(&files)
            .into_iter()
            .map(|finding| format!("{}: {}", finding.place, finding.message))
            .collect()
    }

    #[test]
    fn a_row_names_what_exists_or_says_that_the_feature_does_not() {
        assert_eq!(found("`m01` in `zombie-silo`, `net/redis/tests/a.rs::it_holds`"), [""; 0]);
        assert_eq!(found("a rebalancer is not there yet"), [""; 0]);
    }

    #[test]
    fn what_does_not_exist_catches_nothing() {
        for name in
            ["m99", "no-such-story", "net/redis/tests/a.rs::it_hold", "net/redis/tests/b.rs::it_holds"]
        {
            let told = found(&format!("`m01`, `{name}`"));
            assert_eq!(told, [format!("docs/hollow.md:7: `{name}` is no planted bug, no story and no test")]);
        }
        assert_eq!(found("care").len(), 1);
    }
}
