//! What a turn calls others with.

use crate::activation::Activation;
use crate::call::Issuer;
use crate::caller::Scope;
use crate::kernel::Kernel;
use crate::message::{Chain, Headers};
use quark_core::{ActorId, Instant};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};

/// The issuer of a turn's calls. Most turns call nobody, so it is made when it is first asked for.
#[derive(Clone)]
pub(crate) struct Calls {
    turn: Option<CallingTurn>,
    issuer: OnceLock<Arc<dyn Issuer>>,
}

/// What the calls of a turn inherit, beside what its context knows anyway.
#[derive(Clone)]
struct CallingTurn {
    kernel: Arc<Kernel>,
    /// The actors that wait for the turn.
    waiting: Chain,
    /// The activation and its message counter.
    serial: u64,
    sent: Arc<AtomicU64>,
}

impl Calls {
    /// Of a turn for which these actors wait.
    pub fn of_turn(kernel: &Arc<Kernel>, activation: &Activation, waiting: &Chain) -> Self {
        let turn = CallingTurn {
            kernel: kernel.clone(),
            waiting: waiting.clone(),
            serial: activation.serial,
            sent: activation.sent.clone(),
        };
        Self { turn: Some(turn), issuer: OnceLock::new() }
    }

    /// Through an issuer that there is.
    #[cfg(test)]
    pub fn through(issuer: Arc<dyn Issuer>) -> Self {
        Self { turn: None, issuer: OnceLock::from(issuer) }
    }

    /// The issuer of the turn of this actor.
    pub fn issuer(&self, actor: &ActorId, deadline: Instant, headers: &Headers) -> Arc<dyn Issuer> {
        let make = || -> Arc<dyn Issuer> {
            let turn = self.turn.as_ref().expect("without a turn there is an issuer from the start");
            Arc::new(Scope {
                kernel: turn.kernel.clone(),
                chain: turn.waiting.iter().chain([actor]).cloned().collect(),
                deadline,
                headers: headers.clone(),
                sender: Some((turn.serial, turn.sent.clone())),
            })
        };
        self.issuer.get_or_init(make).clone()
    }
}
