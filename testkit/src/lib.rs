//! Where everything meets: what tests of Quark share.
#![deny(missing_docs)]

pub mod store_conformance;
