//! Deliberate bugs, to prove that the checkers can find bugs.
//!
//! `mutant!("m01")` is `false` in every build without the feature `mutants`, so the optimiser removes the branch.
//! With the feature, `activate` chooses one bug for the process. `cargo ci mutants` runs them all.

/// Whether this deliberate bug is switched on. `false`, at compile time, without the feature `mutants`.
#[macro_export]
macro_rules! mutant {
    ($name:literal) => {
        $crate::mutant::is_active($name)
    };
}

#[cfg(feature = "mutants")]
static ACTIVE: std::sync::RwLock<String> = std::sync::RwLock::new(String::new());

/// Switches one deliberate bug on for this process, or all off with an empty name.
#[cfg(feature = "mutants")]
pub fn activate(name: &str) {
    *ACTIVE.write().expect("no panic while held") = name.to_owned();
}

/// Whether `name` is switched on.
#[cfg(feature = "mutants")]
pub fn is_active(name: &str) -> bool {
    *ACTIVE.read().expect("no panic while held") == name
}

/// Whether `name` is switched on: never, in this build.
#[cfg(not(feature = "mutants"))]
#[inline(always)]
pub const fn is_active(_name: &str) -> bool {
    false
}
