//! The contract of [`Transport`](quark_env::Transport) as a list of cases for every network on which frames can travel.
//!
//! The simulator's network is a model. What it is a model *of* is only as certain as the last time that somebody put both
//! to the same test: so the simulator, the gRPC transport over somebody else's simulated TCP, the same over the sockets of
//! the operating system, and the same between processes all run this list. A case asserts what has to hold everywhere, and
//! reports what engines may do differently (at once, or after a silence?) as an [`Observation`]. The observations of all
//! engines are the table in `docs/engines.md`, which a test compares with what it has just seen.
//!
//! A network is put under test by implementing [`Stage`].

mod breakage;
mod ends;
mod exchange;
mod flow;
mod peer;
pub mod sim;
mod stage;

pub use peer::{Peer, silo};
pub use stage::{Role, Stage};

use futures_util::future::BoxFuture;
use std::fmt;
use std::sync::Arc;

/// What an engine did where engines may differ. The contract allows each of them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Observation {
    /// There is nothing to differ in.
    Same,
    /// It was noticed within a moment.
    AtOnce,
    /// It was noticed when nothing had been heard for a while: a time-out, or a keep-alive.
    AfterSilence,
    /// Everything arrived, later.
    Late,
    /// Some of it was lost, and the sender was told that its link had broken.
    LostAndSaid,
    /// Some of it was lost, and the link goes on as if nothing had been.
    LostUnsaid,
}

impl fmt::Display for Observation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Same => "same",
            Self::AtOnce => "at once",
            Self::AfterSilence => "after a silence",
            Self::Late => "late",
            Self::LostAndSaid => "lost, link down",
            Self::LostUnsaid => "lost without a word",
        })
    }
}

/// One clause of the contract.
#[derive(Clone, Copy)]
pub struct Case {
    name: &'static str,
    body: fn(Arc<dyn Stage>) -> BoxFuture<'static, Observation>,
}

impl Case {
    /// The clause as a sentence, with underscores.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Runs the case on a stage on which nothing has happened yet.
    ///
    /// Panics: if the engine breaks the contract.
    pub fn run(&self, stage: Arc<dyn Stage>) -> BoxFuture<'static, Observation> {
        (self.body)(stage)
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

macro_rules! list {
    ($($file:ident: $($name:ident)*;)*) => {
        vec![$($(Case { name: stringify!($name), body: |stage| Box::pin($file::$name(stage)) }),*),*]
    };
}

/// All cases, simple ones first.
pub fn cases() -> Vec<Case> {
    list! {
        exchange: frames_pass_both_ways_in_both_lanes a_lane_keeps_the_order_in_which_it_was_sent
            a_client_is_answered_on_the_link_that_it_dialled a_peer_nobody_heard_of_cannot_be_sent_to
            a_receive_that_is_given_up_loses_nothing;
        flow: a_reader_that_stops_is_an_answer_to_the_sender a_full_user_lane_lets_control_frames_pass;
        ends: what_waits_for_a_place_where_nobody_listens_is_said_to_be_lost
            what_waits_for_a_place_out_of_reach_is_said_to_be_lost a_peer_that_ends_is_noticed
            a_reborn_peer_is_found_under_its_new_generation whoever_answers_in_anothers_place_is_not_taken_for_it
            a_forgotten_peer_is_refused_and_told_why;
        breakage: a_network_that_holds_frames_back_loses_none a_short_cut_reorders_and_repeats_nothing
            a_peer_that_falls_silent_is_noticed a_link_that_is_dead_one_way_is_noticed_at_both_ends
            after_a_long_cut_peers_link_again_by_themselves cut_after_cut_nothing_is_reordered_or_repeated;
    }
}
