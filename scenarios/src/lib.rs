//! Stories: what a cluster lives through, in a simulation and on real processes.
#![deny(missing_docs)]

pub mod audit;
pub mod bank;
pub mod callers;
pub mod cast;
pub mod cli;
pub mod corpus;
pub mod diary;
pub mod explain;
pub mod explore;
pub mod givers;
pub mod inside;
pub mod insisters;
pub mod meters;
pub mod new_scenario;
pub mod pairs;
pub mod purse;
pub mod search;
pub mod shrink;
pub mod stories;
pub mod travel;
pub mod vault;
mod verdict;
pub mod views;
pub mod visits;
pub mod whims;
pub mod workload;

pub use verdict::{EXIT_CODES, Verdict};
