use crate::actor::{Actor, Message};
use loom::thread;
use quark_core::turn::Access::{self, Exclusive};
use quark_core::turn::Begin;

/// What one more thread does to the activation.
#[derive(Clone, Copy, PartialEq)]
pub enum End {
    /// Nothing.
    Never,
    /// It ends it, if it gets the turn: as a turn that has panicked.
    Discard,
    /// It begins to end it if it is idle, and goes through with it: as the collector of idle actors.
    Retire,
    /// It begins to end it if it is idle, and takes that back: as the collector when the store is dark.
    Stay,
    /// Its first message, which is shared, finds that it must end.
    Doom,
}

/// Explores all interleavings of these senders, each in a thread of its own that sends its messages in order. The first
/// ends the activation, before it sends.
pub fn explore(preemptions: usize, senders: &'static [&'static [Access]], end: End) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(move || {
        let actor = Actor::new();
        let send = |sender: usize| {
            let actor = actor.clone();
            move || {
                let mut messages = Message::row(sender, senders[sender]);
                if let (0, End::Doom, Some(first)) = (sender, end, messages.first_mut()) {
                    first.dooms = true;
                }
                messages.into_iter().for_each(|message| actor.send(message));
            }
        };
        let threads: Vec<_> = (1..senders.len()).map(|sender| thread::spawn(send(sender))).collect();
        match end {
            End::Never | End::Doom => {}
            End::Discard if actor.turn.begin(Exclusive) == Begin::Run => actor.discard(),
            End::Retire if actor.turn.seal_if_idle() => actor.discard(),
            End::Stay if actor.turn.seal_if_idle() => actor.stay(),
            End::Discard | End::Retire | End::Stay => {} // maybe: it is busy
        }
        send(0)();
        for thread in threads {
            thread.join().expect("no sender fails");
        }
        actor.check(senders.iter().map(|messages| messages.len()).sum());
    });
}
