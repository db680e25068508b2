//! One run, explained: recorded, drawn, told in prose, compared, and searched for the moment that decided it.

mod curve;
mod diff;
mod prose;
mod record;
mod source;
mod view;

pub use curve::{CurvePlan, curve};
pub use diff::diff;
pub use prose::story;
pub use record::record;
pub use source::{Source, Told};
pub use view::{ViewPlan, view};

pub use quark_testkit::telling::curve::Sampling;
