//! Where everything meets: what tests of Quark share.
#![deny(missing_docs)]

pub mod checkers;
pub mod golden;
pub mod history;
pub mod imps;
pub mod machine;
pub mod recorder;
pub mod runner;
pub mod scene;
pub mod sim;
pub mod stage;
pub mod store_conformance;
pub mod story;
pub mod travel;
