//! Stories: what a cluster lives through, in a simulation and on real processes.
#![deny(missing_docs)]

pub mod bank;
pub mod callers;
pub mod cast;
pub mod cli;
pub mod corpus;
pub mod diary;
pub mod givers;
pub mod inside;
pub mod insisters;
pub mod meters;
pub mod purse;
pub mod search;
pub mod shrink;
pub mod stories;
pub mod travel;
pub mod vault;
pub mod views;
pub mod workload;
