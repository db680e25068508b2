//! A graph as a picture: an icicle in one SVG, callers above whom they call, as wide as what they take.
//!
//! callgrind writes who calls whom, not whole stacks: where a function has several callers, each gets the same mixture of
//! what it calls, by what the function takes for that caller.

use super::graph::Graph;
use anyhow::{Context, Result};

/// Draws what one operation of `path` takes, of `times` that were counted.
///
/// Errors: the graph is empty.
pub(super) fn draw(path: &str, graph: &Graph, times: u64) -> Result<String> {
    let root = beginning(graph).context("nothing was counted")?;
    let mut drawing = Drawing { graph, boxes: Vec::new(), stack: Vec::new() };
    drawing.add(root, 0.0, WIDTH);
    let depth = drawing.boxes.iter().map(|b| b.depth + 1).max().unwrap_or(0);
    let height = HEAD + depth as f64 * ROW + 8.0;
    let each = graph.whole(root) as f64 / times as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"monospace\" \
         font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n<text x=\"4\" y=\"16\" \
         font-size=\"14\">{}: {each:.1} instructions an operation</text>\n",
        escaped(path)
    );
    for piece in &drawing.boxes {
        svg += &piece.svg(each);
    }
    Ok(svg + "</svg>\n")
}

const WIDTH: f64 = 1600.0;
const HEAD: f64 = 26.0;
const ROW: f64 = 17.0;
/// Narrower boxes are left out.
const NARROWEST: f64 = 1.5;
const DEEPEST: usize = 120;
/// So much of a function in one callee, and it is only on the way there.
const PASSES_ON: f64 = 0.99;
const LETTER: f64 = 6.7;

/// Where the picture begins: below everything that only calls the next.
fn beginning(graph: &Graph) -> Option<&str> {
    let mut at = graph.root()?;
    for _ in 0..DEEPEST {
        let Some((next, cost)) = graph.callees(at).next() else { break };
        if (cost as f64) < PASSES_ON * graph.whole(at) as f64 || next == at {
            break;
        }
        at = next;
    }
    (graph.whole(at) > 0).then_some(at)
}

struct Drawing<'a> {
    graph: &'a Graph,
    boxes: Vec<Piece<'a>>,
    stack: Vec<&'a str>,
}

struct Piece<'a> {
    name: &'a str,
    depth: usize,
    left: f64,
    width: f64,
}

impl<'a> Drawing<'a> {
    fn add(&mut self, name: &'a str, left: f64, width: f64) {
        // A circle of calls has no end that the graph knows.
        if width < NARROWEST || self.stack.len() >= DEEPEST || self.stack.contains(&name) {
            return;
        }
        self.boxes.push(Piece { name, depth: self.stack.len(), left, width });
        self.stack.push(name);
        let (graph, mut at) = (self.graph, left);
        let scale = width / graph.whole(name).max(1) as f64;
        for (callee, cost) in graph.callees(name) {
            let part = cost as f64 * scale;
            self.add(callee, at, part);
            at += part;
        }
        self.stack.pop();
    }
}

impl Piece<'_> {
    fn svg(&self, each: f64) -> String {
        let Self { name, left, width, .. } = self;
        let (top, share) = (HEAD + self.depth as f64 * ROW, width / WIDTH);
        let letters = (width / LETTER) as usize;
        let shown: String =
            if letters < 4 { String::new() } else { short(name).chars().take(letters).collect() };
        format!(
            "<g><title>{}: {:.1} instructions, {:.1} %</title><rect x=\"{left:.1}\" y=\"{top}\" width=\"{width:.1}\" \
             height=\"{ROW}\" fill=\"{}\" stroke=\"#fff\"/><text x=\"{:.1}\" y=\"{:.1}\">{}</text></g>\n",
            escaped(name),
            each * share,
            share * 100.0,
            colour(name),
            left + 2.0,
            top + 12.0,
            escaped(&shown)
        )
    }
}

/// A name without its path and its hash, where it has them: `quark::turns::run::h0123456789abcdef` is `turns::run`.
fn short(name: &str) -> &str {
    let is_hash = |end: &str| end.len() == 16 && end.bytes().all(|byte| byte.is_ascii_hexdigit());
    let name = name.rsplit_once("::h").filter(|(_, end)| is_hash(end)).map_or(name, |(name, _)| name);
    if name.starts_with('<') {
        return name;
    }
    let plain = name.split('<').next().unwrap_or(name);
    let from = plain.rmatch_indices("::").nth(1).map_or(0, |(at, _)| at + 2);
    &name[from..]
}

/// By the room whose code it is.
fn colour(name: &str) -> &'static str {
    let is_of = |room: &str| name.contains(room);
    if is_of("quark_sim") {
        "#d9c8ea"
    } else if is_of("quark_testkit") || is_of("quark_scenarios") || is_of("quark_bench") {
        "#d5d9de"
    } else if is_of("quark_core") || is_of("quark_env") {
        "#b5d7f0"
    } else if is_of("quark") {
        "#b9e3c0"
    } else if ["alloc", "free", "mem"].iter().any(|of| name.contains(of)) {
        "#f4c2b5"
    } else {
        "#f3e3b0"
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_the_half_is_half_as_wide() {
        let profile = "fn=(1) main\n1 0\ncfn=(2) quark::walk::h0123\ncalls=1 1\n1 1000\nfn=(2)\n1 500\n\
                       cfn=(3) <a & b>\ncalls=1 1\n1 500\nfn=(3)\n1 500\n";
        let svg = draw("ask", &Graph::read(profile).expect("well formed"), 10).expect("not empty");
        assert!(svg.contains("ask: 100.0 instructions an operation"), "{svg}");
        assert!(svg.contains("<title>&lt;a &amp; b&gt;: 50.0 instructions, 50.0 %</title>"), "{svg}");
        assert!(svg.contains("width=\"800.0\"") && !svg.contains("main"), "{svg}");
    }

    #[test]
    fn a_circle_of_calls_ends() {
        let profile = "fn=(1) f\n1 10\ncfn=(2) g\ncalls=1 1\n1 90\nfn=(2)\n1 30\ncfn=(3) h\ncalls=1 1\n1 60\n\
                       fn=(3)\n1 20\ncfn=(2)\ncalls=1 1\n1 40\n";
        let svg = draw("ask", &Graph::read(profile).expect("well formed"), 1).expect("not empty");
        assert_eq!(svg.matches("<title>").count(), 3, "{svg}");
        assert!(draw("ask", &Graph::default(), 1).is_err());
    }

    #[test]
    fn names_are_cut_to_what_tells_them_apart() {
        assert_eq!(short("quark::turns::run::h0123456789abcdef"), "turns::run");
        assert_eq!(short("quark::handling::execute"), "handling::execute");
        assert_eq!(short("malloc"), "malloc");
        assert_eq!(short("core::ptr::drop_in_place<a::b::C>"), "ptr::drop_in_place<a::b::C>");
        assert_eq!(short("<a::b as c::D>::e"), "<a::b as c::D>::e");
    }
}
