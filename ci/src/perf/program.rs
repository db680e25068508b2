//! The program whose paths are counted: `hot_paths` of quark-bench.

use super::graph::Graph;
use super::{callgrind, number, picture};
use crate::run::{cargo, line, output};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;

/// One of its paths.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Listed {
    /// Its name.
    pub name: String,
    /// How many operations to count over.
    pub times: u64,
}

/// The built program.
pub(super) struct Program(PathBuf);

const PACKAGE: &str = "quark-bench";
const BINARY: &str = "hot_paths";
/// A turn that asks runs another turn on its stack; deeper than this none of the paths goes.
const RECURSIONS: u32 = 4;

impl Program {
    /// Builds it as users build: release.
    pub fn build() -> Result<Self> {
        let mut command = cargo();
        command.args(["build", "--release", "--locked", "-p", PACKAGE, "--bin", BINARY]);
        command.arg("--message-format=json-render-diagnostics");
        eprintln!("  $ {}", line(&command));
        let printed = output(&mut command)?;
        let program = printed
            .lines()
            .filter_map(|l| serde_json::from_str::<Value>(l).ok())
            .filter(|message| message["target"]["name"] == BINARY)
            .find_map(|message| message["executable"].as_str().map(PathBuf::from));
        Ok(Self(program.with_context(|| format!("cargo built `{BINARY}` and did not say where it is"))?))
    }

    /// Its paths.
    pub fn list(&self) -> Result<Vec<Listed>> {
        let mut command = Command::new(&self.0);
        let printed = output(command.arg("--list"))?;
        listed(&printed).with_context(|| format!("`{BINARY} --list` printed what is no list"))
    }

    /// What one operation of this path takes.
    pub fn instructions_per_operation(&self, path: &Listed) -> Result<f64> {
        let counted = |times| callgrind::instructions(&self.profile(path, times, None)?);
        let figure = counted(path.times)
            .and_then(|once| callgrind::per_operation(once, counted(path.times * 2)?, path.times));
        figure.with_context(|| format!("`{}` cannot be counted", path.name))
    }

    /// Who called whom in what its operations took, drawn into a file, which is returned.
    pub fn draw(&self, path: &Listed) -> Result<PathBuf> {
        let graph = |times| Graph::read(&self.profile(path, times, Some(RECURSIONS))?);
        let operations = graph(path.times * 2)?.without(&graph(path.times)?);
        let file = self.file(&path.name, "svg")?;
        let picture = picture::draw(&path.name, &operations, path.times)?;
        std::fs::write(&file, picture).with_context(|| format!("cannot write {}", file.display()))?;
        Ok(file)
    }

    /// What callgrind writes about a run of so many operations.
    fn profile(&self, path: &Listed, times: u64, recursions: Option<u32>) -> Result<String> {
        let arguments = [path.name.clone(), "--times".into(), times.to_string()];
        callgrind::profile(&self.0, &arguments, recursions, &self.file(&path.name, "callgrind")?)
    }

    /// Where a file about a path goes: beside what cargo builds, in a folder of ours.
    fn file(&self, name: &str, extension: &str) -> Result<PathBuf> {
        let target = self.0.parent().and_then(|release| release.parent());
        let folder = target.context("cargo builds into a folder of its own")?.join("ci/perf");
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(folder.join(format!("{name}.{extension}")))
    }
}

/// Reads the list: a line for each path, with name, count and description between tabs.
fn listed(text: &str) -> Result<Vec<Listed>> {
    let mut all: Vec<Listed> = Vec::new();
    for line in text.lines() {
        let mut parts = line.split('\t');
        let name = parts.next().unwrap_or_default().to_owned();
        let times = parts.next().with_context(|| format!("`{line}` has no tab"))?;
        ensure!(!name.is_empty() && all.iter().all(|p| p.name != name), "`{name}`: empty, or there twice");
        all.push(Listed { name, times: number(times, "number of operations")? });
    }
    ensure!(!all.is_empty(), "no path at all");
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_read() {
        let paths = listed("ask\t100\tone asks\ntell\t7\tone tells\n").expect("well formed");
        assert_eq!(paths[0], Listed { name: "ask".into(), times: 100 });
        assert_eq!(paths[1], Listed { name: "tell".into(), times: 7 });
    }

    #[test]
    fn a_list_that_is_none_is_refused() {
        for bad in ["", "ask\n", "ask\tmany\tone asks\n", "\t1\tnameless\n", "ask\t1\ta\nask\t2\tb\n"] {
            assert!(listed(bad).is_err(), "{bad:?}");
        }
    }
}
