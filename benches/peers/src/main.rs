//! Calls within a process: Quark beside kameo, ractor, actix, xtra, coerce, and bare tokio channels.
//!
//! Method: one process, release, mimalloc for all. Each measurement has a tokio runtime of its own (`current_thread`, but for
//! the row that says two workers), and they take turns: a round measures every peer once, and the next round begins with
//! another, so that whatever else the machine does hurts all alike. What an idle actor takes is measured in a process for
//! each peer and round, which this program starts from itself. Printed are the median of the rounds, the least and the most
//! of them, and how many times better Quark's median is.
//!
//! Every message adds a number to an actor's sum, and every sum is checked. Mailboxes are those of each peer's own examples.
//! Of Quark a whole silo runs (membership, lease, deadlines, call chains), which is why it is no peer of a bare channel: it
//! does more for each call.
//!
//! `quark-peers [--quick] [--json] [--rounds N] [--rows ask,tell,..] [--only quark,kameo,..]`

use anyhow::{Context, Result, bail};
use contestant::Contestant;
use rows::{Row, Scale};
use std::process::Command;
use std::time::Duration;
use table::Line;

mod contestant;
mod peer;
mod peers;
mod rows;
mod table;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const USAGE: &str =
    "quark-peers [--quick] [--json] [--rounds N] [--rows ask,tell,..] [--only quark,kameo,..]";
/// How this program asks itself for one peer's memory.
const CHILD: &str = "--memory-of";

struct Options {
    rounds: usize,
    scale: Scale,
    is_json: bool,
    rows: Vec<Row>,
    peers: Vec<Contestant>,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, name] = arguments.as_slice()
        && flag == CHILD
    {
        let peer = peers::ALL.iter().find(|peer| peer.name == name).context(USAGE)?;
        println!("{}", peer.measure(Row::Memory, Scale::full())[0]);
        return Ok(());
    }
    let options = Options::read(&arguments)?;
    let mut printed = Vec::new();
    for &row in &options.rows {
        let lines = measure(row, &options)?;
        if options.is_json {
            printed.extend(lines.iter().flat_map(Line::json));
        } else {
            lines.iter().for_each(Line::print);
        }
    }
    if options.is_json {
        println!("{}", serde_json::Value::from(printed));
    }
    Ok(())
}

impl Scale {
    fn full() -> Self {
        Self { time: Duration::from_millis(300), actors_spawned: 20_000 }
    }

    fn quick() -> Self {
        Self { time: Duration::from_millis(50), actors_spawned: 2000 }
    }
}

impl Options {
    fn read(arguments: &[String]) -> Result<Self> {
        let mut options = Self {
            rounds: 7,
            scale: Scale::full(),
            is_json: false,
            rows: Row::ALL.to_vec(),
            peers: peers::ALL.to_vec(),
        };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--quick" => (options.rounds, options.scale) = (3, Scale::quick()),
                "--json" => options.is_json = true,
                "--rounds" => options.rounds = arguments.next().context(USAGE)?.parse().context(USAGE)?,
                "--rows" => {
                    let names = arguments.next().context(USAGE)?;
                    options.rows = named(names, &Row::ALL, |row| row.name())?;
                }
                "--only" => {
                    let names = arguments.next().context(USAGE)?;
                    options.peers = named(names, &peers::ALL, |peer| peer.name)?;
                }
                other => bail!("`{other}` is no option: {USAGE}"),
            }
        }
        if options.rounds == 0 {
            bail!("no round measures nothing: {USAGE}");
        }
        Ok(options)
    }
}

/// Those of `all` that a list names.
fn named<T: Copy>(names: &str, all: &[T], name_of: impl Fn(&T) -> &'static str) -> Result<Vec<T>> {
    let find = |name: &str| {
        let known = || all.iter().map(&name_of).collect::<Vec<_>>().join(", ");
        let found = all.iter().find(|one| name_of(one) == name).copied();
        found.with_context(|| format!("`{name}` is none of {}", known()))
    };
    names.split(',').map(find).collect()
}

/// All rounds of a row.
fn measure(row: Row, options: &Options) -> Result<Vec<Line>> {
    let peers: Vec<_> = options.peers.iter().filter(|peer| peer.has(row)).collect();
    let mut samples = vec![vec![Vec::new(); peers.len()]; row.figures().len()];
    for round in 0..options.rounds {
        for turn in 0..peers.len() {
            let at = (round + turn) % peers.len();
            let figures = match row {
                Row::Memory => vec![memory_in_a_child(peers[at])?],
                _ => peers[at].measure(row, options.scale),
            };
            for (figure, value) in figures.into_iter().enumerate() {
                samples[figure][at].push(value);
            }
        }
    }
    let line = |(figure, samples): (&rows::Figure, Vec<Vec<f64>>)| Line {
        row: row.name(),
        figure: *figure,
        samples: peers.iter().map(|peer| peer.name).zip(samples).collect(),
    };
    Ok(row.figures().iter().zip(samples).map(line).collect())
}

fn memory_in_a_child(peer: &Contestant) -> Result<f64> {
    let output = Command::new(std::env::current_exe()?).args([CHILD, peer.name]).output()?;
    if !output.status.success() {
        bail!("measuring {} failed: {}", peer.name, String::from_utf8_lossy(&output.stderr));
    }
    let text = String::from_utf8(output.stdout)?;
    text.trim().parse().with_context(|| format!("{} printed `{text}`", peer.name))
}
