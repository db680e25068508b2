//! A telling as one HTML file that needs nothing else: no network, no build step, no server.
//!
//! The parts lie in files of their own beside this one, each with one concept in it; they are put together here, in order,
//! inside one scope. The data goes in as JSON, in columns, because a run has tens of thousands of events. The same telling
//! gives the same bytes.

mod columns;

use super::Telling;

const TEMPLATE: &str = include_str!("page/page.html");
const STYLES: &[&str] =
    &[include_str!("page/colours.css"), include_str!("page/layout.css"), include_str!("page/panel.css")];
/// In the order in which they need one another.
const SCRIPTS: &[&str] = &[
    include_str!("page/data.js"),
    include_str!("page/time.js"),
    include_str!("page/colours.js"),
    include_str!("page/spans.js"),
    include_str!("page/slice.js"),
    include_str!("page/filters.js"),
    include_str!("page/rows.js"),
    include_str!("page/draw_axis.js"),
    include_str!("page/draw_lanes.js"),
    include_str!("page/draw_strips.js"),
    include_str!("page/draw_messages.js"),
    include_str!("page/draw_faults.js"),
    include_str!("page/pick.js"),
    include_str!("page/panel.js"),
    include_str!("page/verdict.js"),
    include_str!("page/controls.js"),
    include_str!("page/main.js"),
];

/// A telling as a page.
pub fn render(telling: &Telling) -> String {
    // Whatever a text holds, it can neither end the element that it is in nor begin another one.
    let data = columns::of(telling).to_string().replace('<', "\\u003c");
    let title = escaped(&format!("{}, seed {}", telling.story, telling.seed));
    // The data last: nothing in it is taken for a place to fill.
    TEMPLATE
        .replace("{{title}}", &title)
        .replace("{{style}}", &STYLES.concat())
        .replace("{{script}}", &SCRIPTS.concat())
        .replacen("{{data}}", &data, 1)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
