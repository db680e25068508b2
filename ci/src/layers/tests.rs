use super::*;
use serde_json::{Value, json};

/// The whole workspace, as the table wants it, plus the given dependencies.
fn workspace(extra: &[(&str, Value)]) -> Workspace {
    let packages: Vec<Value> = ROOMS
        .iter()
        .map(|room| {
            let dependencies: Vec<&Value> =
                extra.iter().filter(|(from, _)| *from == room.package).map(|(_, d)| d).collect();
            let folder = match room.package {
                "quark-tokio" | "quark-grpc" | "quark-sqlite" | "quark-http" | "quark-node" => {
                    room.package.replace("quark-", "net/")
                }
                "quark-bench" => "benches".into(),
                "quark-rt" => "runtime/silo".into(),
                other => other.trim_start_matches("quark-").to_owned(),
            };
            json!({
                "name": room.package,
                "manifest_path": format!("/repo/{folder}/Cargo.toml"),
                "dependencies": dependencies,
                "targets": [],
            })
        })
        .collect();
    let text = json!({ "workspace_root": "/repo", "packages": packages }).to_string();
    Workspace::parse(&text).expect("the fake metadata is well formed")
}

fn dependency(name: &str, kind: Option<&str>) -> Value {
    json!({ "name": name, "kind": kind, "features": [], "uses_default_features": false })
}

fn check(from: &str, dependency: Value, expect: Option<&str>) {
    let found = findings(&workspace(&[(from, dependency.clone())]));
    match expect {
        None => assert_eq!(found, vec![], "{from}: {dependency}"),
        Some(text) => {
            assert_eq!(found.len(), 1, "{from}: {dependency}: {found:?}");
            assert!(found[0].message.contains(text), "`{text}` not in {:?}", found[0]);
            assert!(found[0].place.ends_with("Cargo.toml"), "{:?}", found[0]);
            assert!(!found[0].remedy.is_empty());
        }
    }
}

#[test]
fn an_arrow_of_the_design_passes() {
    check("quark-env", dependency("quark-core", None), None);
    check("quark-rt", dependency("quark-macros", None), None);
    check("quark-node", dependency("quark-scenarios", None), None);
    check("quark-grpc", dependency("quark-testkit", Some("dev")), None);
    check("quark-bench", dependency("quark-grpc", None), None);
    check("quark-grpc", dependency("tonic", None), None);
}

#[test]
fn an_arrow_that_nobody_drew_is_named_with_both_ends() {
    check("quark-core", dependency("quark-env", None), Some("quark-core → quark-env"));
    check("quark-sim", dependency("quark-rt", None), Some("quark-sim → quark-rt"));
    check("quark-grpc", dependency("quark-sqlite", None), Some("quark-grpc → quark-sqlite"));
    check("quark-ci", dependency("quark-core", None), Some("quark-ci → quark-core"));
    check("quark-http", dependency("quark-env", None), Some("quark-http → quark-env"));
    check("quark-testkit", dependency("quark-tokio", None), Some("quark-testkit → quark-tokio"));
}

#[test]
fn what_a_test_may_link_the_crate_may_not() {
    check("quark-sqlite", dependency("quark-testkit", None), Some("[dependencies]"));
    check("quark-core", dependency("quark-sim", Some("dev")), Some("[dev-dependencies]"));
    check("quark-grpc", dependency("quark-env", Some("build")), Some("[build-dependencies]"));
}

#[test]
fn the_world_enters_only_through_net() {
    check("quark-sim", dependency("getrandom", None), Some("only net/"));
    check("quark-rt", dependency("tonic", None), Some("only net/"));
    check("quark-sim", dependency("getrandom", Some("dev")), None);
    let tokio = |features: Value, default: bool| json!({ "name": "tokio", "kind": null, "features": features, "uses_default_features": default });
    check("quark-rt", tokio(json!(["sync"]), false), None);
    check("quark-rt", tokio(json!(["sync", "time"]), false), Some("`time`"));
    check("quark-rt", tokio(json!(["sync"]), true), Some("`default`"));
    check("quark-tokio", tokio(json!(["rt", "time"]), false), None);
}

#[test]
fn a_crate_without_a_row_and_a_row_without_a_crate_are_found() {
    let text = json!({
        "workspace_root": "/repo",
        "packages": [{ "name": "quark-new", "manifest_path": "/repo/new/Cargo.toml", "dependencies": [], "targets": [] }],
    });
    let found = findings(&Workspace::parse(&text.to_string()).expect("well formed"));
    assert!(found.iter().any(|f| f.place == "new/Cargo.toml" && f.message.contains("no row")));
    assert!(found.iter().any(|f| f.message.contains("`quark-core` describes no crate")));
}

#[test]
fn every_arrow_of_the_table_points_at_a_room() {
    for room in ROOMS {
        for arrows in [&room.may, &room.tests_may] {
            let Only(names) = arrows else { continue };
            for name in *names {
                assert!(ROOMS.iter().any(|r| r.package == *name), "{} → {name}", room.package);
            }
        }
    }
}
