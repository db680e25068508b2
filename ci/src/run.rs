//! Running a tool as a check: its output goes to the terminal, its exit code becomes the outcome.

use crate::report::{Check, Finding};
use anyhow::{Context, Result};
use std::process::{Command, Stdio};

/// The cargo that runs us, so that a toolchain override reaches the commands below.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // `cargo run` describes *this* package to us; a child cargo must not mistake it for its own.
    for (key, _) in std::env::vars_os() {
        let inherited = key.to_str().is_some_and(|k| {
            ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"].iter().any(|prefix| k.starts_with(prefix))
        });
        if inherited {
            command.env_remove(key);
        }
    }
    command
}

/// The command as one would type it.
pub fn line(command: &Command) -> String {
    let program = command.get_program().to_string_lossy();
    let mut words = vec![program.rsplit('/').next().unwrap_or(&program).to_owned()];
    words.extend(command.get_args().map(|a| a.to_string_lossy().into_owned()));
    words.join(" ")
}

/// Runs a tool to its end. Its standard output goes where its errors go: ours is for the report.
///
/// Errors: when the program cannot be started. A program that ends badly is a failed check.
pub fn tool(command: &mut Command, remedy: &str) -> Result<Check> {
    let shown = line(command);
    eprintln!("  $ {shown}");
    let status = command
        .stdin(Stdio::null())
        .stdout(std::io::stderr())
        .status()
        .with_context(|| format!("`{shown}` cannot be started"))?;
    if status.success() {
        return Ok(Check::Passed(String::new()));
    }
    let ended = status.code().map_or("was killed by a signal".into(), |c| format!("ended with code {c}"));
    Ok(Check::Failed(vec![Finding::new(
        format!("$ {shown}"),
        format!("{ended}; its output is above"),
        remedy,
    )]))
}

/// Runs a tool and returns what it printed; its errors still go to the terminal.
///
/// Errors: when it cannot be started, fails, or prints what is no UTF-8.
pub fn output(command: &mut Command) -> Result<String> {
    let shown = line(command);
    let done = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("`{shown}` cannot be started"))?;
    anyhow::ensure!(done.status.success(), "`{shown}` failed: {}", done.status);
    String::from_utf8(done.stdout).with_context(|| format!("`{shown}` printed what is no UTF-8"))
}

/// Whether `cargo <name>` exists on this machine.
pub fn installed(name: &str) -> bool {
    let asked = cargo().args([name, "--version"]).stdin(Stdio::null()).output();
    asked.is_ok_and(|done| done.status.success())
}
