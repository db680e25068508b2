//! Source files that no module names: cargo never compiles them, so nothing would notice that they are wrong.

use crate::report::Finding;
use crate::source::blank;
use crate::tree::File;

/// Every `.rs` file below a `src` folder that is no root and that its parent module does not declare.
pub fn findings(files: &[File]) -> Vec<Finding> {
    let sources: Vec<&File> = files.iter().filter(|f| f.path.ends_with(".rs")).collect();
    let mut found = Vec::new();
    for file in &sources {
        let Some((folder, name)) = module_of(&file.path) else { continue };
        let declared = parents(&folder).iter().any(|parent| {
            let text = sources.iter().find(|f| f.path == *parent).and_then(|f| f.text.as_deref());
            text.is_some_and(|t| declares(t, &name))
        });
        if !declared {
            found.push(Finding::new(
                &file.path,
                format!("no module says `mod {name};`: this file is never compiled"),
                "declare it in its parent module, or delete it",
            ));
        }
    }
    found
}

/// The folder whose module declares this file, and the name it must declare. `None` for roots of crates.
fn module_of(path: &str) -> Option<(String, String)> {
    let (before, inside) = path.split_once("/src/")?;
    if matches!(inside, "lib.rs" | "main.rs") || inside.starts_with("bin/") {
        return None;
    }
    let stem = inside.strip_suffix("/mod.rs").or_else(|| inside.strip_suffix(".rs"))?;
    let (folder, name) = match stem.rsplit_once('/') {
        Some((folder, name)) => (format!("{before}/src/{folder}"), name),
        None => (format!("{before}/src"), stem),
    };
    Some((folder, name.to_owned()))
}

/// The files that may be the module of a folder.
fn parents(folder: &str) -> Vec<String> {
    let mut parents = vec![format!("{folder}/mod.rs"), format!("{folder}.rs")];
    if folder.ends_with("/src") {
        parents = vec![format!("{folder}/lib.rs"), format!("{folder}/main.rs")];
    }
    parents
}

fn declares(text: &str, name: &str) -> bool {
    // An explicit path may point anywhere; whoever writes one takes care of it.
    let code = blank(text);
    code.contains("#[path")
        || code.lines().any(|line| {
            let line = line.trim();
            let declared = line.split_once("mod ").and_then(|(_, rest)| rest.split([';', ' ', '{']).next());
            declared.is_some_and(|d| d.trim_start_matches("r#") == name)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_no_module_names_is_dead() {
        let files = [
            File::fake("sim/src/lib.rs", "pub mod clock;\nmod net;\n// mod ghost;\n"),
            File::fake("sim/src/clock.rs", ""),
            File::fake("sim/src/net/mod.rs", "#[cfg(test)]\nmod tests;\n"),
            File::fake("sim/src/net/tests.rs", ""),
            File::fake("sim/src/net/link.rs", ""),
            File::fake("sim/src/ghost.rs", ""),
            File::fake("sim/src/bin/tool.rs", ""),
            File::fake("sim/tests/laws.rs", ""),
        ];
        let dead: Vec<String> = findings(&files).into_iter().map(|f| f.place).collect();
        assert_eq!(dead, ["sim/src/net/link.rs", "sim/src/ghost.rs"]);
    }
}
