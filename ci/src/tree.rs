//! The files of the repository: what git tracks, plus what is new and not ignored, so that a finding appears
//! before the file is added.

use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::process::Command;

/// One file: its path from the root with `/`, its size, and its text if it is text.
pub struct File {
    /// From the root, with `/` on every system.
    pub path: String,
    /// In bytes.
    pub bytes: u64,
    /// `None` for a binary file.
    pub text: Option<String>,
}

impl File {
    /// A file that exists only in a test.
    #[cfg(test)]
    pub fn fake(path: &str, text: &str) -> Self {
        Self { path: path.into(), bytes: text.len() as u64, text: Some(text.into()) }
    }
}

/// Makes the repository's root the working directory, from wherever inside it we were called.
pub fn enter_root() -> Result<()> {
    let start = std::env::current_dir().context("the working directory is gone")?;
    let root = start
        .ancestors()
        .find(|dir| dir.join("ci/src/main.rs").is_file() && dir.join("Cargo.toml").is_file())
        .with_context(|| format!("{} is not inside the Quark repository", start.display()))?;
    std::env::set_current_dir(root).with_context(|| format!("cannot enter {}", root.display()))
}

/// Reads every tracked or new file that exists.
///
/// Errors: when git is missing or this is no checkout (a source archive has nothing to compare with).
pub fn files() -> Result<Vec<File>> {
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .output()
        .context("`git` cannot be started: install git")?;
    ensure!(
        listed.status.success(),
        "`git ls-files` failed: {}",
        String::from_utf8_lossy(&listed.stderr).trim()
    );
    let names = String::from_utf8(listed.stdout).context("a file name is no UTF-8")?;
    let mut files = Vec::new();
    for name in names.split('\0').filter(|n| !n.is_empty()) {
        let path = Path::new(name);
        if !path.is_file() {
            continue; // Deleted, not yet committed.
        }
        let content = std::fs::read(path).with_context(|| format!("cannot read {name}"))?;
        let bytes = content.len() as u64;
        let text = if content.contains(&0) { None } else { String::from_utf8(content).ok() };
        files.push(File { path: name.into(), bytes, text });
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files.dedup_by(|a, b| a.path == b.path);
    Ok(files)
}
