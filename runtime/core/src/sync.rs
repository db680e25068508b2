//! The standard library's atomics, or loom's when loom explores every interleaving (`--cfg quark_loom`).

#[cfg(not(quark_loom))]
pub(crate) use std::sync::atomic;

#[cfg(quark_loom)]
pub(crate) use loom::sync::atomic;
