//! Every misuse of `#[quark::actor]` fails with an error that says what to write instead.
//!
//! `TRYBUILD=overwrite cargo test -p quark-rt --test macro_ui` writes the expected output anew; read the difference.

#[test]
fn misuse_is_explained() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
