//! Where everything meets: what tests of Quark share.
#![deny(missing_docs)]

pub mod case;
pub mod checkers;
pub mod epilogue;
pub mod explore;
pub mod golden;
pub mod history;
pub mod imps;
pub mod journal;
pub mod lab;
pub mod machine;
pub mod minimise;
pub mod model;
pub mod patron;
pub mod recorder;
pub mod runner;
pub mod scene;
pub mod shape;
pub mod sim;
pub mod stage;
pub mod store_conformance;
pub mod story;
pub mod telling;
pub mod transport_conformance;
pub mod travel;
pub mod whims;
