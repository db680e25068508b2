use super::*;

/// Findings of one file alone, without the rules that look at the whole tree.
fn of(path: &str, text: &str) -> Vec<String> {
    let file = File::fake(path, text);
    let mut found = text::findings(&file);
    if path.ends_with(".rs") {
        found.extend(code::findings(path, &Source::new(text)));
    }
    found.into_iter().map(|f| format!("{} {}", f.place, f.message)).collect()
}

fn check(path: &str, text: &str, expect: &[&str]) {
    let found = of(path, text);
    assert_eq!(found.len(), expect.len(), "{path}\n{text}\n{found:#?}");
    for wanted in expect {
        assert!(found.iter().any(|f| f.contains(wanted)), "`{wanted}` not in {found:#?}");
    }
}

#[test]
fn random_selects_stay_in_net() {
    check("sim/src/a.rs", "fn f() { tokio::select! {} }\n", &["sim/src/a.rs:1 `tokio::select`"]);
    check("runtime/silo/src/a.rs", "\nuse futures_util::select;\n", &["a.rs:2 `futures_util::select`"]);
    check("net/grpc/src/a.rs", "fn f() { tokio::select! {} }\n", &[]);
    check("sim/src/a.rs", "// tokio::select! is random\nlet a = \"tokio::select!\";\n", &[]);
    check("sim/src/a.rs", "use futures_util::selection;\n", &[]);
}

#[test]
fn nothing_is_left_behind() {
    check("sim/src/a.rs", "fn f() { todo!() }\n", &["`todo!` was left behind"]);
    check("net/grpc/src/a.rs", "fn f() { unimplemented!(); dbg!(1); }\n", &["`unimplemented!`"]);
    check("sim/tests/a.rs", "#[ignore = \"slow\"]\n#[test]\nfn t() {}\n", &["nobody runs"]);
    check("sim/src/a.rs", "my_todo!();\n", &[]);
}

#[test]
fn a_test_does_not_sleep() {
    check("net/grpc/tests/a.rs", "tokio::time::sleep(ms(5)).await;\n", &["in a test"]);
    check("net/grpc/src/a.rs", "tokio::time::sleep(ms(5)).await;\n", &[]);
    let inside = "fn f() {}\n#[cfg(test)]\nmod tests {\n    fn t() { std::thread::sleep(d); }\n}\n";
    check("net/grpc/src/a.rs", inside, &["a.rs:4 `thread::sleep`"]);
}

#[test]
fn unwrap_is_for_tests() {
    check("sim/src/a.rs", "let a = b.unwrap();\n", &["`.unwrap()`"]);
    check("sim/src/a.rs", "let a = b.unwrap_or(1);\n", &[]);
    check("sim/src/a/tests.rs", "let a = b.unwrap();\n", &[]);
    check("benches/src/a.rs", "let a = b.unwrap();\n", &[]);
}

#[test]
fn a_silenced_lint_says_why() {
    check("sim/src/a.rs", "#[allow(dead_code)]\nfn f() {}\n", &["without a reason"]);
    check("sim/src/a.rs", "#[expect(\n    dead_code,\n    reason = \"later\"\n)]\nfn f() {}\n", &[]);
    check("sim/src/a.rs", "// Kept for the ABI.\n#[allow(dead_code)]\nfn f() {}\n", &[]);
    check("sim/src/a.rs", "#[allow(dead_code)] // kept for the ABI\nfn f() {}\n", &[]);
}

#[test]
fn unsafe_is_listed_and_justified() {
    check("sim/src/a.rs", "fn f() { unsafe { g() } }\n", &["not listed"]);
    check("runtime/core/src/probe.rs", "fn f() { unsafe { g() } }\n", &["without a `SAFETY:`"]);
    check("runtime/core/src/probe.rs", "// SAFETY: g is total.\nfn f() { unsafe { g() } }\n", &[]);
    check("sim/src/a.rs", "#![deny(unsafe_op_in_unsafe_fn)]\n// unsafe\n", &[]);
    check("runtime/silo/tests/ui/a.rs", "unsafe fn refused() {}\n", &[]);
}

#[test]
fn long_files_are_found() {
    check("sim/src/a.rs", &"fn f() {}\n".repeat(601), &["601 lines"]);
    check("sim/src/a.rs", &"fn f() {}\n".repeat(600), &[]);
    check("sim/src/a.md", &"text\n".repeat(601), &[]);
}

#[test]
fn a_public_crate_documents_everything() {
    check("sim/src/lib.rs", "pub fn f() {}\n", &["undocumented"]);
    check("sim/src/lib.rs", "#![deny(missing_docs)]\n", &[]);
    check("benches/src/lib.rs", "pub fn f() {}\n", &[]);
    check("ci/src/main.rs", "fn main() {}\n", &[]);
}

#[test]
fn whitespace_and_machine_paths_are_found() {
    check("a.md", "one \ntwo\n", &["a.md:1 whitespace"]);
    check("a.md", "one\r\n", &["carriage return"]);
    check("a.md", "one", &["no newline"]);
    check("sim/src/a.rs", "\tfn f() {}\n", &["a tab"]);
    check("a.snap", "one \n", &[]);
    check("a.md", concat!("see /wo", "rk/main\n"), &["somebody's machine"]);
    check(".github/a.yml", "see .github/workflows/pr.yml\n", &[]);
}

#[test]
fn a_large_file_is_found_even_if_binary() {
    let file = File { path: "a.bin".into(), bytes: (1 << 20) + 1, text: None };
    assert_eq!(text::findings(&file).len(), 1);
    let file = File { path: "a.bin".into(), bytes: 1 << 20, text: None };
    assert_eq!(text::findings(&file).len(), 0);
}

#[test]
fn an_exception_without_its_file_is_found() {
    assert!(allowed::stale(&[]).len() >= allowed::UNSAFE.len());
    let files: Vec<File> = allowed::UNSAFE.iter().map(|row| File::fake(row.path, "")).collect();
    assert_eq!(allowed::stale(&files).len(), allowed::LONG.len() + allowed::SLEEPING_TESTS.len());
}
