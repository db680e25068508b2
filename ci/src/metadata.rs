//! The workspace as cargo sees it: packages, their dependencies, their binaries.

use crate::run::{cargo, output};
use anyhow::{Context, Result};
use serde_json::Value;

/// When a dependency is linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Always.
    Normal,
    /// For tests, benches and examples.
    Dev,
    /// For the build script.
    Build,
}

/// One line of a `[dependencies]` table.
#[derive(Clone, Debug)]
pub struct Dependency {
    /// The package's own name, whatever it is renamed to.
    pub name: String,
    /// When it is linked.
    pub kind: Kind,
    /// The features asked for here.
    pub features: Vec<String>,
    /// Whether its default features come along.
    pub default_features: bool,
}

/// One member of the workspace.
#[derive(Clone, Debug)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its manifest, from the root.
    pub manifest: String,
    /// What it depends on, as written.
    pub dependencies: Vec<Dependency>,
    /// Its binaries.
    pub binaries: Vec<String>,
}

impl Package {
    /// The folder of the manifest, from the root.
    pub fn folder(&self) -> &str {
        self.manifest.strip_suffix("/Cargo.toml").unwrap_or("")
    }
}

/// The members of the workspace.
pub struct Workspace {
    /// In cargo's order.
    pub packages: Vec<Package>,
}

impl Workspace {
    /// Asks cargo.
    ///
    /// Errors: when a manifest is broken or Cargo.lock is not up to date.
    pub fn read() -> Result<Self> {
        let text = output(cargo().args(["metadata", "--no-deps", "--format-version", "1", "--locked"]))
            .context("`cargo metadata --locked`: is Cargo.lock committed and up to date?")?;
        Self::parse(&text)
    }

    /// Reads what `cargo metadata --no-deps --format-version 1` printed.
    pub fn parse(text: &str) -> Result<Self> {
        let json: Value = serde_json::from_str(text).context("cargo metadata printed no JSON")?;
        let root = json["workspace_root"].as_str().context("no `workspace_root`")?;
        let listed = json["packages"].as_array().context("no `packages`")?;
        let packages = listed.iter().map(|p| package(p, root)).collect::<Result<_>>()?;
        Ok(Self { packages })
    }

    /// The member of this name.
    pub fn package(&self, name: &str) -> Option<&Package> {
        self.packages.iter().find(|p| p.name == name)
    }
}

fn package(json: &Value, root: &str) -> Result<Package> {
    let name = json["name"].as_str().context("a package without `name`")?.to_owned();
    let manifest = json["manifest_path"].as_str().with_context(|| format!("{name}: no `manifest_path`"))?;
    let manifest = manifest.replace('\\', "/");
    let manifest = manifest.strip_prefix(&root.replace('\\', "/")).unwrap_or(&manifest);
    let dependencies = json["dependencies"]
        .as_array()
        .with_context(|| format!("{name}: no `dependencies`"))?
        .iter()
        .map(|d| {
            let kind = match d["kind"].as_str() {
                None => Kind::Normal,
                Some("dev") => Kind::Dev,
                Some("build") => Kind::Build,
                Some(other) => anyhow::bail!("{name}: unknown kind of dependency `{other}`"),
            };
            Ok(Dependency {
                name: d["name"]
                    .as_str()
                    .with_context(|| format!("{name}: a nameless dependency"))?
                    .to_owned(),
                kind,
                features: texts(&d["features"]),
                default_features: d["uses_default_features"].as_bool().unwrap_or(true),
            })
        })
        .collect::<Result<_>>()?;
    let binaries = json["targets"].as_array().map_or(&[][..], Vec::as_slice);
    let binaries = binaries
        .iter()
        .filter(|t| texts(&t["kind"]).iter().any(|k| k == "bin"))
        .filter_map(|t| t["name"].as_str().map(str::to_owned))
        .collect();
    Ok(Package { name, manifest: manifest.trim_start_matches('/').to_owned(), dependencies, binaries })
}

fn texts(json: &Value) -> Vec<String> {
    let listed = json.as_array().map_or(&[][..], Vec::as_slice);
    listed.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect()
}
