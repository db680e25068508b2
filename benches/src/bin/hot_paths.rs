//! One of Quark's hot paths, so many times, for a tool that counts instructions.
//!
//! Method: a run does what is set up first, then the operation N times, and reads no clock and draws no entropy of the
//! machine. Whoever counts runs N and 2 N and takes the difference: what was set up falls out, and so does the start of
//! the process. `cargo ci perf` does that under callgrind, and compares with benches/hot_paths.toml. The allocator is
//! the system's, as in the binary `quark`: mimalloc reads the clock.
//!
//! `hot_paths --list` prints a line for each path: name, N and what one operation is, between tabs.
//! `hot_paths PATH --times N` runs one.

use anyhow::{Context, Result, bail};
use quark_bench::hot_paths::{ALL, HotPath};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["--list"] => {
            for path in ALL {
                println!("{}\t{}\t{}", path.name, path.times, path.what);
            }
        }
        [name, "--times", times] => {
            let times = times.parse().with_context(|| format!("`--times {times}`: a number"))?;
            (HotPath::named(name).with_context(|| format!("no path `{name}`: see --list"))?.walk)(times);
        }
        _ => bail!("hot_paths --list | PATH --times N"),
    }
    Ok(())
}
