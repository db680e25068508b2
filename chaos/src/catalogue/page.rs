//! The table as a page for people.

use super::{Family, Kind, Needs, Overlap, Parameter};
use crate::fault::FaultKind;
use std::fmt::Write;

/// The catalogue as the Markdown of `docs/chaos.md`: a table for each family, one row for each kind.
pub fn catalogue_page() -> String {
    let mut page = String::new();
    for (family, title) in FAMILIES {
        let _ = write!(page, "### {title}\n\n{HEAD}\n");
        for kind in FaultKind::ALL.iter().filter(|kind| kind.family() == family) {
            let _ = writeln!(page, "{}", row(&kind.facts()));
        }
        page.push('\n');
    }
    page
}

const FAMILIES: [(Family, &str); 6] = [
    (Family::Network, "Network"),
    (Family::Node, "Nodes"),
    (Family::Clock, "Clocks"),
    (Family::Store, "Store"),
    (Family::Membership, "Membership"),
    (Family::Workload, "Workload"),
];

const HEAD: &str = "| kind | what goes wrong | numbers | together with | its effect | waives |\n\
                    | --- | --- | --- | --- | --- | --- |";

fn row(kind: &Kind) -> String {
    let overlap = match kind.overlap {
        Overlap::Free => "anything",
        Overlap::Stops => "nothing else that stops the node",
        Overlap::SetsClock => "nothing else that sets the node's clock",
        Overlap::Once => "anything but itself",
    };
    let needs = match kind.needs {
        Needs::Nothing => "",
        Needs::Replica => "; needs a replica",
        Needs::Imps => "; needs imps",
    };
    let numbers: Vec<String> = kind.parameters.iter().map(number).collect();
    let or_none = |text: String| if text.is_empty() { "–".to_owned() } else { text };
    format!(
        "| `{}` | {} | {} | {overlap}{needs} | {} | {} |",
        kind.kind.name(),
        kind.kind.says(),
        or_none(numbers.join(", ")),
        kind.meter.says(),
        or_none(kind.waives.join(", ")),
    )
}

fn number(parameter: &Parameter) -> String {
    format!("{} {}..{} {}", parameter.name, parameter.min, parameter.max, parameter.unit)
}
