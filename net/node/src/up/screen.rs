//! What `quark up` shows: a table drawn in place on a terminal, plain lines or JSON lines elsewhere.

use super::cluster::{Cluster, Slot};
use super::load::{Load, LoadView};
use quark_core::view::View;
use serde_json::json;
use std::convert::Infallible;
use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

/// How it is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Style {
    /// A table of 80 columns, drawn over the last one.
    Table,
    /// A line a second.
    Lines,
    /// A JSON object a second.
    Json,
}

impl Style {
    /// What suits the output.
    pub fn of_output(is_json: bool) -> Self {
        let is_dumb = std::env::var("TERM").is_ok_and(|term| term == "dumb");
        match (is_json, std::io::stdout().is_terminal() && !is_dumb) {
            (true, _) => Self::Json,
            (false, true) => Self::Table,
            (false, false) => Self::Lines,
        }
    }
}

/// Draws the cluster, again and again.
pub struct Screen {
    /// What is drawn.
    pub cluster: Arc<Cluster>,
    /// Its load.
    pub load: Arc<Load>,
    /// Where HTTP is served.
    pub url: String,
    style: Style,
    events_seen: u64,
    /// How many lines of the last table the next one is drawn over.
    lines_drawn: usize,
}

impl Screen {
    /// A screen on which nothing stands yet.
    pub fn new(cluster: Arc<Cluster>, load: Arc<Load>, url: String, style: Style) -> Self {
        Self { cluster, load, url, style, events_seen: 0, lines_drawn: 0 }
    }

    /// Draws until dropped: what happens at once, numbers every second.
    pub async fn run(&mut self) -> Infallible {
        let mut ticks = tokio::time::interval(EVENTS_EVERY);
        let mut looks = 0;
        loop {
            ticks.tick().await;
            let events = self.new_events();
            if looks % LOOKS == 0 || (self.style == Style::Table && !events.is_empty()) {
                self.draw(&events);
            } else {
                self.tell(&events);
            }
            looks += 1;
        }
    }

    /// Draws once.
    pub fn draw_now(&mut self) {
        let events = self.new_events();
        self.draw(&events);
    }

    fn new_events(&mut self) -> Vec<String> {
        let (events, seen) = self.cluster.events_since(self.events_seen);
        self.events_seen = seen;
        events
    }

    fn draw(&mut self, events: &[String]) {
        let ((slots, view), load) = (self.cluster.snapshot(), self.load.view());
        let mut text = String::new();
        match self.style {
            Style::Table => {
                if self.lines_drawn > 0 {
                    text.push_str(&format!("\x1b[{}A\x1b[J", self.lines_drawn));
                }
                // Events scroll away above the table.
                events.iter().for_each(|event| text.push_str(&format!("  {event}\n")));
                let table = table(&self.cluster, &slots, &view, &load, &self.url);
                self.lines_drawn = table.lines().count();
                text.push_str(&table);
            }
            Style::Lines => {
                events.iter().for_each(|event| text.push_str(&format!("{event}\n")));
                text.push_str(&line(&slots, &view, &load));
            }
            Style::Json => {
                events.iter().for_each(|event| text.push_str(&format!("{}\n", json!({ "event": event }))));
                let mut object = self.cluster.to_json();
                object["load"] = load.to_json();
                text.push_str(&format!("{object}\n"));
            }
        }
        print(&text);
    }

    /// Events alone, where they have lines of their own.
    fn tell(&self, events: &[String]) {
        let line = |event: &String| match self.style {
            Style::Json => format!("{}\n", json!({ "event": event })),
            Style::Table | Style::Lines => format!("{event}\n"),
        };
        print(&events.iter().map(line).collect::<String>());
    }
}

/// A reader that is gone (`quark up | head`) is no reason to end the cluster.
fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn table(cluster: &Cluster, slots: &[Slot], view: &View, load: &LoadView, url: &str) -> String {
    let name = &cluster.settings.node.cluster;
    let title = format!("quark · cluster {name} · view {} · {url} · Ctrl-C stops", view.version);
    let mut text = format!("\n{}", folded(&title));
    text.push_str("silo          pid  generation  status      activations   calls/s  restarts\n");
    for slot in slots {
        let pid = slot.pid.map_or("-".into(), |pid| pid.to_string());
        let generation = slot.id.map_or("-".into(), |id| id.generation.to_string());
        let (status, counters) = (slot.status(view), &slot.counters);
        text.push_str(&format!(
            "{:<9} {pid:>7}  {generation:>10}  {status:<10}  {:>11}  {:>8.0}  {:>8}\n",
            slot.name, counters.activations, slot.turns_per_second, slot.restarts
        ));
    }
    text.push_str(&folded(&format!(
        "load      {:.0} calls/s · p50 {} · p99 {} · errors {} · lost: {}",
        load.window.calls_per_second,
        milliseconds(load.window.p50_us),
        milliseconds(load.window.p99_us),
        load.errors_total(),
        lost(load),
    )));
    text
}

/// Breaks a line between its parts where it would not fit: a line that the terminal breaks by itself is not counted, and
/// the next table would be drawn one line too low.
fn folded(line: &str) -> String {
    let (mut text, mut columns) = (String::new(), 0);
    for part in line.split(SEPARATOR) {
        let more = SEPARATOR.chars().count() + part.chars().count();
        if columns > 0 && columns + more <= COLUMNS {
            text.push_str(SEPARATOR);
            columns += more;
        } else {
            text.push_str(if columns > 0 { "\n  " } else { "" });
            columns = part.chars().count() + if text.is_empty() { 0 } else { 2 };
        }
        text.push_str(part);
    }
    text + "\n"
}

fn line(slots: &[Slot], view: &View, load: &LoadView) -> String {
    let silos: Vec<String> = slots
        .iter()
        .map(|slot| {
            let (status, activations) = (slot.status(view), slot.counters.activations);
            format!("{} {status} {activations} act {:.0}/s", slot.name, slot.turns_per_second)
        })
        .collect();
    format!(
        "view {} | {} | {:.0} calls/s p50 {} p99 {} errors {} lost: {}\n",
        view.version,
        silos.join(", "),
        load.window.calls_per_second,
        milliseconds(load.window.p50_us),
        milliseconds(load.window.p99_us),
        load.errors_total(),
        lost(load),
    )
}

/// What is lost; what was applied twice only if there is any, which is just as bad.
pub fn lost(load: &LoadView) -> String {
    match load.surplus {
        0 => load.lost.to_string(),
        surplus => format!("{}, applied twice: {surplus}", load.lost),
    }
}

/// Microseconds as milliseconds.
pub fn milliseconds(us: u64) -> String {
    format!("{:.1} ms", us as f64 / 1000.0)
}

const COLUMNS: usize = 80;
const SEPARATOR: &str = " · ";
const EVENTS_EVERY: Duration = Duration::from_millis(100);
const LOOKS: u32 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_too_long_is_broken_between_its_parts() {
        assert_eq!(folded("quark · view 1"), "quark · view 1\n");
        let fits = format!("{} · {}", "a".repeat(40), "b".repeat(37));
        assert_eq!(folded(&fits), format!("{fits}\n"));
        let (c, d) = ("c".repeat(65), "d".repeat(70));
        let long = format!("quark · cluster {c} · view 1 · {d} · end");
        assert_eq!(folded(&long), format!("quark\n  cluster {c}\n  view 1\n  {d} · end\n"));
        assert!(folded(&long).lines().all(|line| line.chars().count() <= COLUMNS));
    }
}
