//! Instructions of the hot paths, counted by callgrind and compared with those that are committed.
//!
//! Why instructions and not time: a shared machine changes the time of a call by tens of percent and its instructions by
//! none, so a gate of 2 % needs nobody to have the machine to himself. What they do not show (caches, waiting, the
//! kernel) is measured by the other programs of benches/.
//!
//! ```text
//!   per operation = (a run of 2 N operations - a run of N operations) / N
//! ```
//! so that what a run sets up, and the start of its process, fall out without a request to the tool in the measured code.

mod callgrind;
mod committed;
mod compare;
mod graph;
mod picture;
mod program;

use crate::report::{Check, Finding};
use anyhow::{Context, Result, ensure};
use committed::Committed;
use compare::{Row, table};
use program::{Listed, Program};

/// Where the figures are.
const FILE: &str = "benches/hot_paths.toml";

/// What `cargo ci perf` is asked.
#[derive(clap::Args)]
pub struct Arguments {
    /// Only these paths (`ask-sync`); all of them without
    paths: Vec<String>,
    /// Writes what was counted to benches/hot_paths.toml instead of comparing
    #[arg(long)]
    write: bool,
    /// Draws where one path's instructions go, into target/ci/perf/PATH.svg
    #[arg(long, value_name = "PATH", conflicts_with_all = ["paths", "write"])]
    flame: Option<String>,
}

impl Arguments {
    /// Every path, compared.
    pub fn everything() -> Self {
        Self { paths: Vec::new(), write: false, flame: None }
    }
}

/// As [`run`] for a list of checks: a machine that cannot count has them skipped.
pub fn where_possible() -> Result<Check> {
    match callgrind::version() {
        Ok(_) => run(&Arguments::everything()),
        Err(error) => Ok(Check::Skipped(format!("{error:#}"))),
    }
}

/// Counts the instructions of these paths, or of all, and compares them with the file or writes it.
///
/// Errors: valgrind is missing, the program does not build or fails, a path is unknown, the file is not what it should
/// be. A path that moved is a finding.
pub fn run(arguments: &Arguments) -> Result<Check> {
    let valgrind = callgrind::version()?;
    if let Some(path) = &arguments.flame {
        return flame(path);
    }
    let committed = Committed::read(FILE)?;
    let here = committed::Origin::here(&valgrind)?;
    if let Some(file) = &committed
        && !arguments.write
        && file.origin.arch != here.arch
    {
        let (of, this) = (&file.origin.arch, &here.arch);
        return Ok(Check::Skipped(format!("the figures of {FILE} are of {of}, and this is {this}")));
    }
    let program = Program::build()?;
    let listed = program.list()?;
    let chosen = chosen(&listed, &arguments.paths)?;
    let mut rows = Vec::new();
    for path in &chosen {
        let counted = program.instructions_per_operation(path)?;
        let before = committed.as_ref().and_then(|file| file.figure(&path.name));
        rows.push(Row { path: path.name.clone(), counted: Some(counted), committed: before });
    }
    if arguments.paths.is_empty() {
        rows.extend(committed.iter().flat_map(|file| gone(file, &listed)));
    }
    eprint!("{}", table(&rows));
    if arguments.write {
        Committed::with(committed, here, &rows, !arguments.paths.is_empty()).write(FILE)?;
        return Ok(Check::Passed(format!("{FILE} written: look at what changed")));
    }
    let mut findings = compare::findings(FILE, &rows);
    if let Some(file) = &committed {
        note_compiler(&mut findings, &file.origin.rustc, &here.rustc);
    }
    Ok(match findings.is_empty() {
        true => Check::Passed(format!("{} paths within {} %", rows.len(), compare::PERCENT)),
        false => Check::of(findings),
    })
}

fn flame(path: &String) -> Result<Check> {
    let program = Program::build()?;
    let listed = program.list()?;
    let drawn = chosen(&listed, std::slice::from_ref(path))?
        .into_iter()
        .map(|path| Ok(program.draw(path)?.display().to_string()))
        .collect::<Result<Vec<_>>>()?;
    Ok(Check::Passed(drawn.join(", ")))
}

/// The listed paths of these names, in the order of the list.
fn chosen<'a>(listed: &'a [Listed], names: &[String]) -> Result<Vec<&'a Listed>> {
    let known: Vec<&str> = listed.iter().map(|path| path.name.as_str()).collect();
    for name in names {
        ensure!(known.contains(&name.as_str()), "`{name}` is no hot path: they are {}", known.join(", "));
    }
    Ok(listed.iter().filter(|path| names.is_empty() || names.contains(&path.name)).collect())
}

/// What is in the file and not in the program.
fn gone<'a>(file: &'a Committed, listed: &'a [Listed]) -> impl Iterator<Item = Row> + 'a {
    let is_gone = |name: &str| listed.iter().all(|path| path.name != name);
    file.figures().filter(move |(name, _)| is_gone(name)).map(|(name, figure)| Row {
        path: name.to_owned(),
        counted: None,
        committed: Some(figure),
    })
}

/// Says in each finding that another compiler may be the reason.
fn note_compiler(findings: &mut [Finding], of_file: &str, this: &str) {
    if of_file != this {
        for finding in findings {
            finding.message += &format!(" (counted with {of_file}; this is {this})");
        }
    }
}

/// Reads a number that a tool or a file has said.
fn number<T: std::str::FromStr>(text: &str, what: &str) -> Result<T> {
    text.trim().parse().ok().with_context(|| format!("`{}` is no {what}", text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(names: &[&str]) -> Vec<Listed> {
        names.iter().map(|name| Listed { name: (*name).to_owned(), times: 1 }).collect()
    }

    #[test]
    fn an_unknown_path_is_refused_by_name() {
        let listed = listed(&["ask", "tell"]);
        let names = |names: &[&str]| -> Vec<String> { names.iter().map(|n| (*n).to_owned()).collect() };
        assert_eq!(chosen(&listed, &[]).expect("all").len(), 2);
        assert_eq!(chosen(&listed, &names(&["tell"])).expect("one")[0].name, "tell");
        let error = chosen(&listed, &names(&["ask", "shout"])).expect_err("unknown").to_string();
        assert_eq!(error, "`shout` is no hot path: they are ask, tell");
    }

    #[test]
    fn another_compiler_is_named_beside_what_moved() {
        let finding = Finding::new("benches/hot_paths.toml", "`ask` moved", "");
        let mut findings = vec![finding.clone()];
        note_compiler(&mut findings, "rustc 1", "rustc 1");
        assert_eq!(findings, [finding]);
        note_compiler(&mut findings, "rustc 1", "rustc 2");
        assert_eq!(findings[0].message, "`ask` moved (counted with rustc 1; this is rustc 2)");
    }
}
