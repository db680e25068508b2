//! The page for people says what the code says.

use quark_chaos::{catalogue_page, nemesis};

const PAGE: &str = include_str!("../../docs/chaos.md");

#[test]
fn the_page_holds_the_catalogue_of_the_code() {
    let catalogue = catalogue_page();
    if !PAGE.contains(&catalogue) {
        let missing: Vec<_> = catalogue.lines().filter(|line| !PAGE.contains(line)).collect();
        panic!(
            "docs/chaos.md is out of date; put this where its tables are:\n{catalogue}\nnew: {missing:#?}"
        );
    }
    let rows = PAGE.lines().filter(|line| line.starts_with("| `")).count();
    let expected = catalogue.lines().filter(|line| line.starts_with("| `")).count() + nemesis::ALL.len();
    assert_eq!(rows, expected, "a row that the code does not know");
    for (name, _) in nemesis::ALL {
        assert!(PAGE.contains(&format!("| `{name}` |")), "docs/chaos.md does not tell of {name}");
    }
}
