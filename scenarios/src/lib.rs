//! Stories: what a cluster lives through, in a simulation and on real processes.
#![deny(missing_docs)]

pub mod bank;
pub mod callers;
pub mod cast;
pub mod cli;
pub mod corpus;
pub mod diary;
pub mod explain;
pub mod inside;
pub mod purse;
pub mod stories;
pub mod travel;
pub mod vault;
pub mod views;
pub mod workload;
