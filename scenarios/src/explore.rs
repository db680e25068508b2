//! Exploring small worlds from a command line, and comparing what was found with what was found before.

mod golden;

use crate::{Verdict, cli};
use clap::{Args, ValueEnum};
use golden::{Golden, Numbers, Row};
use quark_testkit::explore::directory::{self, DirectoryWorld};
use quark_testkit::explore::membership::{self, MembershipWorld};
use quark_testkit::explore::{Bounds, Exploration, Failure, Progress, World, explore};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

/// Which world.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Which {
    /// Silos, the table they share, and the faults between them
    Membership,
    /// Silos, their directories, and views that change under their feet
    Directory,
}

/// What to explore.
#[derive(Args, Clone, Debug)]
#[command(after_help = crate::EXIT_CODES)]
pub struct Arguments {
    /// The world; none with --against, which explores what the file lists
    #[arg(value_name = "WORLD", required_unless_present_any = ["against", "write"])]
    pub world: Option<Which>,
    /// How large it is, and how far to go
    #[command(flatten)]
    pub scope: Scope,
    /// Explore what this file lists, and compare the numbers with those that it expects
    #[arg(long, value_name = "FILE", conflicts_with = "world")]
    pub against: Option<PathBuf>,
    /// Explore what this file lists, and write the numbers into it
    #[arg(long, value_name = "FILE", conflicts_with_all = ["world", "against"])]
    pub write: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    /// Switch one deliberate bug on (needs the feature `mutants`)
    #[arg(long, hide = true)]
    pub mutant: Option<String>,
}

/// How large the world is, what it is given, and how far to go.
#[derive(Args, Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Scope {
    /// How many silos
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub nodes: usize,
    /// How many steps from the start
    #[arg(long, value_name = "N", default_value_t = 12)]
    pub steps: u32,
    /// Membership: how many faults [default: 1]
    #[arg(long, value_name = "N")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub faults: Option<u8>,
    /// Membership: how many steps by hand, in which nothing arrives but what the explorer lets arrive [default: 2]
    #[arg(long, value_name = "N")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_hand: Option<u8>,
    /// Membership: how many orders to drain, to leave, or to start [default: 0]
    #[arg(long, value_name = "N")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orders: Option<u8>,
    /// Membership: how often the store loses its newest commits [default: 0]
    #[arg(long, value_name = "N")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rewinds: Option<u8>,
    /// Membership: one silo more, that has not started yet
    #[arg(long)]
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub newcomer: bool,
    /// Membership: begin with an empty table, not with a formed cluster
    #[arg(long)]
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub from_nothing: bool,
    /// Directory: how many actors [default: 1]
    #[arg(long, value_name = "N")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actors: Option<usize>,
    /// Directory: how many changes of the view [default: 2]
    #[arg(long, value_name = "N")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub views: Option<u8>,
    /// Directory: how many calls [default: 3]
    #[arg(long, value_name = "N")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<u8>,
    /// Directory: how many activations end [default: 1]
    #[arg(long, value_name = "N")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endings: Option<u8>,
    /// Directory: how many messages are lost [default: 0]
    #[arg(long, value_name = "N")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub losses: Option<u8>,
    /// Directory: how often time moves on to a deadline [default: 2]
    #[arg(long, value_name = "N")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticks: Option<u8>,
    /// One state of so many has to settle once everything is healed; 0 for none
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub settle_every: u64,
    /// Stop, incomplete, at so many states
    #[arg(long, value_name = "N", default_value_t = 20_000_000)]
    #[serde(skip)]
    pub states_max: usize,
}

impl Scope {
    fn bounds(&self) -> Bounds {
        let states_max = if self.states_max == 0 { usize::MAX } else { self.states_max };
        Bounds { steps: self.steps, states_max, settle_every: self.settle_every }
    }

    fn membership(&self) -> Result<membership::Setup, String> {
        if !(1..=6).contains(&self.nodes) {
            return Err(format!("{} silos are no small world: --nodes 1 to 6", self.nodes));
        }
        let default = membership::Setup::new(self.nodes);
        Ok(membership::Setup {
            faults: self.faults.unwrap_or(default.faults),
            by_hand: self.by_hand.unwrap_or(default.by_hand),
            orders: self.orders.unwrap_or(default.orders),
            rewinds: self.rewinds.unwrap_or(default.rewinds),
            newcomer: self.newcomer,
            from_nothing: self.from_nothing,
            ..default
        })
    }

    fn directory(&self) -> Result<directory::Setup, String> {
        if !(2..=4).contains(&self.nodes) {
            return Err(format!("{} silos are no small world of directories: --nodes 2 to 4", self.nodes));
        }
        let default = directory::Setup::new(self.nodes);
        Ok(directory::Setup {
            actors: self.actors.unwrap_or(default.actors),
            views: self.views.unwrap_or(default.views),
            calls: self.calls.unwrap_or(default.calls),
            endings: self.endings.unwrap_or(default.endings),
            losses: self.losses.unwrap_or(default.losses),
            ticks: self.ticks.unwrap_or(default.ticks),
            ..default
        })
    }
}

/// Explores, and prints what was found.
///
/// Errors: a world that is too large, a file that cannot be read or written.
pub fn run(arguments: &Arguments) -> Result<Verdict, String> {
    crate::audit::switch_on(arguments.mutant.as_deref())?;
    cli::quiet_panics();
    let file = arguments.against.as_ref().or(arguments.write.as_ref());
    let Some(file) = file else {
        let world = arguments.world.ok_or("name a world: membership or directory")?;
        let (found, took) = search(world, &arguments.scope)?;
        print(world, &found, took, arguments.json);
        return Ok(verdict(&found));
    };
    let mut golden = Golden::read(file)?;
    let mut worst = Verdict::Good;
    let mut list = Vec::new();
    for row in &mut golden.rows {
        let (found, took) = search(row.world, &row.scope)?;
        worst = worst.max(verdict(&found));
        if arguments.write.is_none() {
            worst = worst.max(compare(row, &found));
        }
        report(row, &found, took, arguments.json, &mut list);
        row.expect = Some(Numbers::of(&found));
    }
    if let Some(file) = &arguments.write {
        golden.write(file)?;
    }
    if arguments.json {
        println!("{}", json!({ "explorations": list, "verdict": worst.word() }));
    }
    Ok(worst)
}

fn verdict(found: &Exploration) -> Verdict {
    match &found.failure {
        Some(_) => Verdict::Violation,
        // Half a proof proves nothing.
        None if !found.is_complete => Verdict::Vacuous,
        None => Verdict::Good,
    }
}

fn compare(row: &Row, found: &Exploration) -> Verdict {
    Verdict::from(row.expect.as_ref() == Some(&Numbers::of(found)))
}

/// One line for each exploration of a file; the whole story where it failed.
fn report(row: &Row, found: &Exploration, took: Duration, json: bool, list: &mut Vec<serde_json::Value>) {
    let numbers = Numbers::of(found);
    let is_expected = row.expect.as_ref() == Some(&numbers);
    if json {
        let mut value = as_json(row.world, found, took);
        value["name"] = json!(row.name);
        value["expected"] = json!(is_expected);
        return list.push(value);
    }
    let word = match row.expect {
        Some(_) if is_expected => "as expected",
        Some(_) => "DIFFERS",
        None => "new",
    };
    println!("{:<34} {numbers}  {:>5.1} s  {word}", row.name, took.as_secs_f64());
    if let Some(expect) = row.expect.as_ref().filter(|_| !is_expected) {
        println!("{:<34} {expect}  was expected: the core has changed, look at how", "");
    }
    if let Some(failure) = &found.failure {
        print_failure(failure);
    }
}

fn search(world: Which, scope: &Scope) -> Result<(Exploration, Duration), String> {
    let bounds = scope.bounds();
    let clock = cli::Clock::start();
    let found = match world {
        Which::Membership => of(MembershipWorld::new(&scope.membership()?), &bounds),
        Which::Directory => of(DirectoryWorld::new(&scope.directory()?), &bounds),
    };
    Ok((found, clock.elapsed()))
}

fn of<W: World>(world: W, bounds: &Bounds) -> Exploration {
    let shows_progress = std::io::stderr().is_terminal();
    let found = explore(world, bounds, |Progress { depth, states, transitions, left }| {
        if shows_progress {
            eprint!("\r\x1b[Kdepth {depth}: {states} states, {transitions} transitions, {left} left here");
            let _ = std::io::stderr().flush();
        }
    });
    if shows_progress {
        eprint!("\r\x1b[K");
    }
    found
}

fn as_json(world: Which, found: &Exploration, took: Duration) -> serde_json::Value {
    json!({
        "world": world, "states": found.states, "transitions": found.transitions, "depth": found.depth,
        "by_depth": found.by_depth, "complete": found.is_complete, "symmetry": found.symmetry(),
        "settled": found.settled, "seconds": took.as_secs_f64(),
        "states_per_second": found.states as f64 / took.as_secs_f64().max(0.001),
        "memory_mb": memory_mb(), "verdict": verdict(found).word(),
        "failure": found.failure.as_ref().map(|f| json!({ "path": f.path, "message": f.message })),
    })
}

fn print(world: Which, found: &Exploration, took: Duration, json: bool) {
    if json {
        return println!("{}", as_json(world, found, took));
    }
    if let Some(failure) = &found.failure {
        print_failure(failure);
    }
    let seconds = took.as_secs_f64();
    println!("{:>12} states ({} at each depth)", found.states, list(&found.by_depth));
    println!("{:>12} transitions", found.transitions);
    let is_all = if found.is_complete { "all of it" } else { "not all of it: there are more states" };
    println!("{:>12} deep, {is_all}", found.depth);
    println!("{:>12.2} times as many without the symmetry of names", found.symmetry());
    println!("{:>12} states settled once healed", found.settled);
    println!("{seconds:>12.1} s, {:.0} states a second", found.states as f64 / seconds.max(0.001));
    if let Some(memory) = memory_mb() {
        println!("{memory:>12} MB at most");
    }
}

fn list(numbers: &[usize]) -> String {
    numbers.iter().map(usize::to_string).collect::<Vec<_>>().join(" ")
}

fn print_failure(failure: &Failure) {
    println!("{}", failure.message);
    let what = if failure.is_of_settling { "after these steps, and peace" } else { "the shortest way there" };
    println!("{what}:");
    for (number, step) in failure.path.iter().enumerate() {
        println!("{:>4}. {step}", number + 1);
    }
    println!();
}

/// The most memory that this process has had, as Linux tells it.
fn memory_mb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? / 1024)
}
