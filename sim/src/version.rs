//! Which simulator a trace is of.

/// Counts the changes of this crate that give the same seed another trace.
///
/// Hashes that are kept in files (`scenarios/golden/traces.toml`) say of which version they are, so that a difference
/// reads either "the engine was changed on purpose" or "something is not a function of the seed". Raise it in the commit
/// that changes what an event is, the order of events, how a choice is drawn, or what is folded into the hash, and write
/// the file anew in that commit (`quark sim audit --write scenarios/golden/traces.toml`). A change of the silo, or of a
/// story, changes traces as well: then the file is written anew, and the number stays.
pub const ENGINE_VERSION: u32 = 1;
