//! What goes wrong, as data.
//!
//! A [`Fault`] names one thing that goes wrong, a [`FaultPlan`] says when and for how long, [`swarm`] draws one from a
//! seed, a [`nemesis`] is one written by hand, and [`minimise`] makes a failing one small. What is known of each kind of
//! fault is its [`Kind`]; [`Knobs`] are what else a seed decides about a run.
//!
//! A [`Campaign`] carries a plan out on a [`Target`]: a simulated world or real processes. This crate knows neither; it
//! only keeps the books.
#![deny(missing_docs)]

mod bandit;
mod campaign;
mod catalogue;
mod ddmin;
mod draws;
mod fault;
mod field;
pub mod knobs;
mod legal;
mod minimise;
pub mod nemesis;
mod plan;
mod shrink;
mod span;
mod swarm;
mod target;

pub use bandit::Bandit;
pub use campaign::{Campaign, KindReport, Report};
pub use catalogue::{Draw, Family, Kind, Meter, Needs, Overlap, Parameter, catalogue_page};
pub use ddmin::drop_pieces;
pub use fault::{Fault, FaultKind, Route, Shape};
pub use knobs::Knobs;
pub use legal::Clash;
pub use minimise::{Minimised, minimise};
pub use plan::{FaultPlan, PLAN_VERSION, PlanError, PlannedFault};
pub use swarm::{Share, SwarmConfig, swarm};
pub use target::{Applied, Target};
