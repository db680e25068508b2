//! Lists the files of `cases`: one that is put there belongs to the corpus, without being named anywhere else.

use std::error::Error;
use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

#[expect(clippy::disallowed_methods, reason = "cargo tells a build where to write by its environment")]
fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=cases");
    let mut names = Vec::new();
    for entry in fs::read_dir("cases")? {
        let name = entry?.file_name().into_string().map_err(|name| format!("{name:?} is no UTF-8"))?;
        if let Some(name) = name.strip_suffix(".json") {
            names.push(name.to_owned());
        }
    }
    names.sort();
    let folder = env::current_dir()?.join("cases");
    let mut list = String::from("&[\n");
    for name in names {
        let path = folder.join(format!("{name}.json"));
        writeln!(list, "    ({name:?}, include_str!({path:?})),")?;
    }
    list.push(']');
    fs::write(Path::new(&env::var("OUT_DIR")?).join("cases.rs"), list)?;
    Ok(())
}
