//! Who may depend on whom.
//!
//! A decision is pure, a driver is thin, the world is a trait: that only stays true while the arrows between the
//! crates stay few. Each crate has one row below. A new arrow is a design change: add it here in the commit that
//! needs it, and say there why.

use crate::metadata::{Dependency, Kind, Package, Workspace};
use crate::report::Finding;

/// One crate's row.
struct Room {
    package: &'static str,
    /// Crates of ours that it may link.
    may: Arrows,
    /// Crates of ours that only its tests, benches and examples may link, besides those above.
    tests_may: Arrows,
    /// The invariant that the row defends, shown with a violation.
    why: &'static str,
}

enum Arrows {
    Any,
    Only(&'static [&'static str]),
}
use Arrows::{Any, Only};

const WORLD: &[&str] = &["quark-core", "quark-env"];
const PROVIDER_TESTS: &[&str] = &["quark-testkit"];
const PROVIDER: &str = "providers know neither one another nor the silo; only what a silo asks of the world";

const ROOMS: &[Room] = &[
    Room {
        package: "quark-core",
        may: Only(&[]),
        tests_may: Only(&[]),
        why: "core decides and knows nothing else of ours",
    },
    Room {
        package: "quark-macros",
        may: Only(&[]),
        // The generated code names the silo crate, so its compile-fail tests must link it.
        tests_may: Only(&["quark-rt"]),
        why: "macros write code that names the silo crate, and link nothing",
    },
    Room {
        package: "quark-env",
        may: Only(&["quark-core"]),
        tests_may: Only(&[]),
        why: "env is traits and value types, without an implementation",
    },
    Room {
        package: "quark-rt",
        may: Only(&["quark-core", "quark-env", "quark-macros"]),
        tests_may: Only(&["quark-sim", "quark-chaos", "quark-testkit"]),
        why: "the silo cannot tell the real world from the simulated one",
    },
    Room { package: "quark-tokio", may: Only(WORLD), tests_may: Only(PROVIDER_TESTS), why: PROVIDER },
    Room { package: "quark-grpc", may: Only(WORLD), tests_may: Only(PROVIDER_TESTS), why: PROVIDER },
    Room { package: "quark-sqlite", may: Only(WORLD), tests_may: Only(PROVIDER_TESTS), why: PROVIDER },
    Room { package: "quark-redis", may: Only(WORLD), tests_may: Only(PROVIDER_TESTS), why: PROVIDER },
    Room {
        package: "quark-http",
        may: Only(&[]),
        tests_may: Only(&[]),
        why: "HTTP sees JSON and a trait of its own; the node connects it to the silo",
    },
    Room {
        package: "quark-node",
        // Scenarios and testkit: `quark sim run` is a command of the one binary that users install.
        may: Only(&[
            "quark-core",
            "quark-env",
            "quark-rt",
            "quark-tokio",
            "quark-grpc",
            "quark-sqlite",
            "quark-redis",
            "quark-http",
            "quark-testkit",
            "quark-scenarios",
        ]),
        tests_may: Only(&["quark-chaos"]),
        why: "the node only wires: whatever decides or drives belongs to a room below",
    },
    Room {
        package: "quark-opinions",
        // What is under test (the silo and the real providers), and testkit, which says what has to hold.
        may: Only(&[
            "quark-core",
            "quark-env",
            "quark-rt",
            "quark-grpc",
            "quark-redis",
            "quark-tokio",
            "quark-testkit",
        ]),
        tests_may: Only(&["quark-sim"]),
        why: "second opinions run what production runs, on engines that are not ours; nothing links them",
    },
    Room {
        package: "quark-sim",
        may: Only(WORLD),
        tests_may: Only(&["quark-chaos"]),
        why: "the simulator never imports the silo, so it can cheat for nobody",
    },
    Room {
        package: "quark-chaos",
        may: Only(&["quark-core"]),
        tests_may: Only(&[]),
        why: "faults are data: what applies them lives elsewhere",
    },
    Room {
        package: "quark-testkit",
        // No net/*: a cluster of real processes is spawned as a binary, not linked.
        may: Only(&["quark-core", "quark-env", "quark-rt", "quark-sim", "quark-chaos"]),
        tests_may: Only(&[]),
        why: "testkit is where the silo, the simulator and the faults meet",
    },
    Room {
        package: "quark-scenarios",
        may: Only(&["quark-core", "quark-rt", "quark-testkit", "quark-chaos", "quark-sim"]),
        tests_may: Only(&[]),
        why: "scenarios hold stories, not machinery",
    },
    Room { package: "quark-bench", may: Any, tests_may: Any, why: "" },
    Room { package: "quark-examples", may: Any, tests_may: Any, why: "" },
    Room {
        package: "quark-ci",
        may: Only(&[]),
        tests_may: Only(&[]),
        why: "ci must build when nothing else does",
    },
];

/// Crates that open sockets, read clocks or draw entropy: linked under net/ and by what measures, nowhere else.
const ONLY_IN_NET: &[&str] =
    &["axum", "getrandom", "h2", "hyper", "hyper-util", "redis", "rusqlite", "tonic", "tower", "tower-http"];
/// Room folders that may link them.
const OUTSIDE_THE_SIMULATION: &[&str] = &["net/", "benches", "examples", "ci"];
/// What of tokio works without its runtime, deterministically and in FIFO order.
const TOKIO_WITHOUT_A_RUNTIME: &[&str] = &["sync"];

/// Every edge that no row allows, every crate without a row, and every row without a crate.
pub fn findings(workspace: &Workspace) -> Vec<Finding> {
    let mut found = Vec::new();
    for package in &workspace.packages {
        let Some(room) = ROOMS.iter().find(|r| r.package == package.name) else {
            found.push(Finding::new(
                &package.manifest,
                format!("`{}` has no row in the table of layers", package.name),
                "add one to ci/src/layers.rs: what may it link, and which invariant does that defend?",
            ));
            continue;
        };
        for dependency in &package.dependencies {
            let ours = workspace.package(&dependency.name).is_some();
            found.extend(if ours { arrow(package, room, dependency) } else { foreign(package, dependency) });
        }
    }
    for room in ROOMS.iter().filter(|r| workspace.package(r.package).is_none()) {
        found.push(Finding::new(
            "ci/src/layers.rs",
            format!("the row of `{}` describes no crate of the workspace", room.package),
            "remove the row, or bring the crate back",
        ));
    }
    found
}

/// An edge between two crates of ours.
fn arrow(package: &Package, room: &Room, dependency: &Dependency) -> Option<Finding> {
    let among = |arrows: &Arrows| match arrows {
        Any => true,
        Only(names) => names.contains(&dependency.name.as_str()),
    };
    let (allowed, table) = match dependency.kind {
        Kind::Normal => (among(&room.may), "dependencies"),
        Kind::Dev => (among(&room.may) || among(&room.tests_may), "dev-dependencies"),
        // A build script of ours that needs a crate of ours would be a second way to generate code.
        Kind::Build => (false, "build-dependencies"),
    };
    (!allowed).then(|| {
        Finding::new(
            &package.manifest,
            format!(
                "{} → {} in [{table}] is no arrow of the design: {}",
                package.name, dependency.name, room.why
            ),
            "move the code to the room that may know both; or, if the design changes, add the arrow to \
             ci/src/layers.rs and runtime/ARCHITECTURE.md and give the reason in the commit",
        )
    })
}

/// An edge to a crate that is not ours: only what would let the world in past the traits.
fn foreign(package: &Package, dependency: &Dependency) -> Option<Finding> {
    let outside = OUTSIDE_THE_SIMULATION.iter().any(|folder| package.folder().starts_with(folder));
    if outside || dependency.kind != Kind::Normal {
        return None;
    }
    if ONLY_IN_NET.contains(&dependency.name.as_str()) {
        return Some(Finding::new(
            &package.manifest,
            format!(
                "{} → {}: only net/ opens sockets, reads clocks or draws entropy",
                package.name, dependency.name
            ),
            "ask for it through a trait of quark-env, and implement that under net/",
        ));
    }
    if dependency.name == "tokio" {
        let extra: Vec<&str> = dependency
            .features
            .iter()
            .map(String::as_str)
            .chain(dependency.default_features.then_some("default"))
            .filter(|f| !TOKIO_WITHOUT_A_RUNTIME.contains(f))
            .collect();
        if !extra.is_empty() {
            return Some(Finding::new(
                &package.manifest,
                format!(
                    "{} → tokio with `{}`: outside net/ only `sync` works",
                    package.name,
                    extra.join("`, `")
                ),
                "spawn, sleep and send through quark-env; the simulator has no tokio runtime",
            ));
        }
    }
    None
}

#[cfg(test)]
mod tests;
