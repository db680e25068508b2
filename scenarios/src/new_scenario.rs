//! `quark sim new-scenario`: a file to start from, for a story about somebody's own actors.

use quark_testkit::lab::template;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Writes the scenario into `folder`, which is made if it is not there. Returns the file.
///
/// Errors: a name that is none; a file that is there already, which is left as it is; what the system says.
pub fn write(name: &str, folder: &Path) -> Result<PathBuf, String> {
    let source = template(name)?;
    let path = folder.join(format!("{}.rs", name.replace('-', "_")));
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            format!(
                "`{}` is there already, and is left as it is: choose another name or --dir",
                path.display()
            )
        }
        _ => format!("`{}`: {error}", path.display()),
    };
    std::fs::create_dir_all(folder).map_err(|error| format!("`{}`: {error}", folder.display()))?;
    let mut file = std::fs::File::create_new(&path).map_err(failed)?;
    file.write_all(source.as_bytes()).map_err(failed)?;
    Ok(path)
}

/// As [`write()`], and says what comes next.
///
/// Errors: as there.
pub fn run(name: &str, folder: &Path) -> Result<(), String> {
    let path = write(name, folder)?;
    let test = name.replace('-', "_");
    println!("wrote {}", path.display());
    println!("it needs `quark` and `serde`, and `quark-testkit` under [dev-dependencies]; then");
    println!("    cargo test --test {test}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder of this test's own, below the one in which cargo has built it; gone when the test ends.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let program = std::env::current_exe().expect("a test is a program");
            let beside = program.parent().expect("it is in a folder");
            let folder = Self(beside.join(format!("new-scenario-{name}")));
            let _ = std::fs::remove_dir_all(&folder.0);
            folder
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn it_writes_what_is_compiled_as_a_test_of_the_testkit() {
        let folder = Folder::new("writes");
        let path = write("ticket-office", &folder.0.join("tests")).expect("there is room");
        assert_eq!(path, folder.0.join("tests/ticket_office.rs"));
        let source = std::fs::read_to_string(&path).expect("it was just written");
        assert_eq!(Ok(source), template("ticket-office"));
    }

    #[test]
    fn it_leaves_a_file_that_is_there_as_it_is() {
        let folder = Folder::new("refuses");
        std::fs::create_dir_all(&folder.0).expect("there is room");
        let path = folder.0.join("ticket_office.rs");
        std::fs::write(&path, "mine").expect("there is room");
        let error = write("ticket-office", &folder.0).expect_err("it is there");
        assert!(error.contains("is there already") && error.contains("--dir"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).expect("it is there"), "mine");
    }

    #[test]
    fn it_writes_nothing_under_a_name_that_is_none() {
        let folder = Folder::new("nothing");
        assert!(write("../escape", &folder.0).is_err());
        assert!(!folder.0.exists());
    }
}
