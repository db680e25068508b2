//! The standard library's atomics and locks, or those of a tool that decides who runs when: loom's, which explores every
//! interleaving of a few threads (`--cfg quark_loom`), or shuttle's, which draws interleavings of many (`--cfg
//! quark_shuttle`).

#[cfg(not(any(quark_loom, quark_shuttle)))]
pub(crate) use std::sync::{Arc, Mutex, atomic};

#[cfg(quark_loom)]
pub(crate) use loom::sync::{Arc, Mutex, atomic};

#[cfg(all(quark_shuttle, not(quark_loom)))]
pub(crate) use shuttle::sync::{Arc, Mutex, atomic};
