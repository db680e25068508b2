//! What the store may have lost is asked for: every durable actor in memory that rests on a lost commit ends.
//!
//! Without it only whoever touches a partition again notices its loss, so an actor that is merely read would go on answering
//! from a state that is gone. So when [`Store::history`](quark_env::Store::history) moves, or anybody meets a loss, each
//! durable activation gets an errand: it reads its owner row, and if the store tells of a loss, or of another owner, the
//! activation ends. The loss itself is reported on the way (`losses.rs`). A few at a time: a store that has just failed over
//! has better things to do than to answer a million questions at once.

use crate::activation::Activation;
use crate::actor::Access;
use crate::kernel::Kernel;
use crate::message::Message;
use quark_core::turn::Begin;
use quark_core::{MethodId, reached};
use std::sync::Arc;
use std::time::Duration;

/// The errand's number: no method of an actor has it.
pub(crate) const AUDIT: MethodId = MethodId(3);

/// How many activations are asked, and then the pause before the next so many: 12 800 a second.
const AT_ONCE: usize = 256;
const PAUSE: Duration = Duration::from_millis(20);

impl Kernel {
    /// Audits whenever the store may have lost something, for as long as the silo runs.
    pub(crate) async fn audit(self: Arc<Self>) {
        while !self.is_stopped() {
            self.losses.suspected().await;
            reached!("audit.began");
            let durable = |activation: &Arc<Activation>| activation.kind.durable;
            let activations: Vec<_> = self.catalog.all().into_iter().filter(durable).collect();
            for some in activations.chunks(AT_ONCE) {
                some.iter().for_each(|activation| self.ask_what_is_left(activation));
                self.env.clock.sleep_until(self.env.clock.now() + PAUSE).await;
            }
        }
    }

    fn ask_what_is_left(self: &Arc<Self>, activation: &Arc<Activation>) {
        let message = Message { method: AUDIT, ..self.lifecycle_message(&activation.id) };
        match activation.turn.begin(Access::Exclusive.into()) {
            Begin::Run => self.start_turn(activation.clone(), message, Access::Exclusive),
            Begin::Busy => self.enqueue(activation, message),
            Begin::Sealed => {}
        }
    }
}
