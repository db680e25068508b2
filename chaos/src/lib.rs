//! What goes wrong, as data.
//!
//! A [`Fault`] names one thing that goes wrong, a [`FaultPlan`] says when and for how long, [`swarm`] draws one from a
//! seed, and [`minimise`] makes a failing one small. A [`Campaign`] carries a plan out on a [`Target`]: a simulated
//! world or real processes. This crate knows neither; it only keeps the books.
#![deny(missing_docs)]

mod bandit;
mod campaign;
mod ddmin;
mod fault;
mod minimise;
mod plan;
mod span;
mod swarm;
mod target;

pub use bandit::Bandit;
pub use campaign::{Campaign, KindReport, Report};
pub use ddmin::drop_pieces;
pub use fault::{Fault, FaultKind, Route};
pub use minimise::{Minimised, minimise};
pub use plan::{FaultPlan, PLAN_VERSION, PlanError, PlannedFault};
pub use swarm::{SwarmConfig, swarm};
pub use target::{Applied, Target};
