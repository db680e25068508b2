//! The opt-in git hook: the checks that take seconds, before each commit.

use crate::report::Check;
use crate::run::output;
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::process::Command;

/// Writes the hook where git looks for it. A hook of somebody else is left alone and named.
pub fn install() -> Result<Check> {
    let path = output(Command::new("git").args(["rev-parse", "--git-path", "hooks/pre-commit"]))?;
    let path = Path::new(path.trim());
    install_at(path)?;
    Ok(Check::Passed(format!("{} runs `cargo ci quick`", path.display())))
}

fn install_at(path: &Path) -> Result<()> {
    if path.exists() {
        let present =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        ensure!(
            present.contains(MARK),
            "{} exists and is not ours: remove it, or call `cargo ci quick` from it",
            path.display()
        );
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let text = format!("#!/bin/sh\n# {MARK}\nexec cargo ci quick\n");
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))
            .with_context(|| format!("cannot make {} executable", path.display()))?;
    }
    Ok(())
}

const MARK: &str = "Installed by `cargo ci hooks`; delete this file to be rid of it.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_hook_is_left_alone() {
        let folder = std::env::temp_dir().join(format!("quark-hooks-{}", std::process::id()));
        let path = folder.join("pre-commit");
        install_at(&path).expect("nothing there yet");
        install_at(&path).expect("ours is replaced");
        std::fs::write(&path, "#!/bin/sh\necho mine\n").expect("writable");
        let error = install_at(&path).expect_err("not ours").to_string();
        assert!(error.contains("is not ours"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).expect("readable"), "#!/bin/sh\necho mine\n");
        std::fs::remove_dir_all(&folder).expect("removable");
    }
}
