//! What is wrong with dialling, while connections that stand go on.

use crate::state::State;
use crate::trace::TraceKind;

/// What is wrong with dialling along a path. By default, nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Dialling {
    /// Dials get no answer.
    pub is_lost: bool,
    /// Dials are refused at once.
    pub is_refused: bool,
    /// How much later than usual a dial is answered, in nanoseconds.
    pub slow_ns: u64,
    /// Whom dials reach instead: the name resolves to an address that is somebody else's by now.
    pub astray: Option<crate::NodeId>,
}

/// What becomes of one dial.
pub(super) enum Dialled {
    /// It reaches this node.
    Node(u32),
    /// Nobody answers.
    Silence,
    /// It is refused.
    Refusal,
}

impl super::Net {
    /// What is wrong with dialling along a path.
    pub(crate) fn dialling_of(&self, path: u32) -> Dialling {
        self.paths[path as usize].dialling().unwrap_or_default()
    }
}

impl State {
    /// From now on this is wrong with dialling along a path.
    pub(crate) fn set_dialling(&mut self, from: u32, to: u32, dialling: Dialling) {
        let at = self.path(from, to);
        self.net.paths[at as usize].set_dialling(dialling);
        self.record(TraceKind::Fault, from, u64::from(to) << 8 | 7);
        if dialling == Dialling::default() {
            for link in self.links_between(from, to) {
                self.redial(link);
            }
        }
    }

    /// What becomes of a dial that is about to arrive. `again`: it has waited once.
    pub(super) fn dialled(&mut self, path: u32, to_node: u32, again: bool) -> Dialled {
        let Some(dialling) = self.net.paths[path as usize].dialling() else { return Dialled::Node(to_node) };
        if dialling.is_refused {
            self.effects.dials_refused += 1;
            return Dialled::Refusal;
        }
        if dialling.is_lost {
            self.effects.dials_lost += u64::from(!again);
            return Dialled::Silence;
        }
        match dialling.astray {
            Some(other) => {
                self.effects.dials_astray += 1;
                Dialled::Node(other.0)
            }
            None => Dialled::Node(to_node),
        }
    }

    /// How much longer a dial along a path takes.
    pub(super) fn slow_accept(&mut self, path: u32) -> u64 {
        let slow = self.net.paths[path as usize].dialling().map_or(0, |dialling| dialling.slow_ns);
        self.effects.dials_slow += u64::from(slow > 0);
        slow
    }
}
