//! The runtimes, one file each.

use crate::contestant::Contestant;

mod actix;
mod coerce;
mod kameo;
mod quark;
mod ractor;
mod tokio_channel;
mod xtra;

/// All of them, ours first: the others are compared with it.
pub const ALL: [Contestant; 7] = [
    Contestant::of::<quark::Quark>(),
    Contestant::of::<kameo::Kameo>(),
    Contestant::of::<ractor::Ractor>(),
    Contestant::of::<actix::Actix>(),
    Contestant::of::<xtra::Xtra>(),
    Contestant::of::<coerce::Coerce>(),
    Contestant::of::<tokio_channel::Tokio>(),
];
