//! The standard library's atomics and locks, or loom's when loom explores every interleaving (`--cfg quark_loom`).

#[cfg(not(quark_loom))]
pub(crate) use std::sync::{Arc, Mutex, atomic};

#[cfg(quark_loom)]
pub(crate) use loom::sync::{Arc, Mutex, atomic};
