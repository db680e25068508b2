//! What happened, boiled down to one number, and blown up again where two runs differ.

use quark_core::hash::mix;
use std::fmt;
use std::ops::Range;

/// The kinds of traced events.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
#[repr(u8)]
pub enum TraceKind {
    /// A task was polled.
    Poll = 1,
    /// A task was spawned.
    Spawn = 2,
    /// A sleep ended.
    Timer = 3,
    /// A frame was accepted for sending.
    Send = 4,
    /// A frame arrived.
    Deliver = 5,
    /// A frame was dropped.
    Drop = 6,
    /// A link came up, broke, or was refused.
    Link = 7,
    /// A store operation took effect.
    StoreApply = 8,
    /// A store operation was answered.
    StoreReply = 9,
    /// A fault was applied or healed.
    Fault = 10,
    /// A node was started, crashed, paused or resumed.
    Node = 11,
    /// A node drew entropy.
    Entropy = 12,
    /// Something that the test noted with [`WorldHandle::note`](crate::WorldHandle::note).
    Note = 13,
}

/// One traced event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TraceEvent {
    /// Its number, from 0.
    pub number: u64,
    /// True time in nanoseconds.
    pub at_ns: u64,
    /// What kind.
    pub kind: TraceKind,
    /// Which node (0 is the driver).
    pub node: u32,
    /// A hash of the rest: the frame's bytes, the task's name, …
    pub payload: u64,
}

/// The rolling hash after a multiple of [`CHECKPOINT_EVENTS`] events.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Checkpoint {
    /// How many events.
    pub events: u64,
    /// True time in nanoseconds.
    pub at_ns: u64,
    /// The hash.
    pub hash: u64,
}

/// How many events lie between two checkpoints.
pub const CHECKPOINT_EVENTS: u64 = 1024;

/// The trace of a run: a hash over every event, checkpoints, and the full events of a chosen window.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Trace {
    /// The rolling hash over all events.
    pub hash: u64,
    /// How many events.
    pub events: u64,
    /// One per [`CHECKPOINT_EVENTS`] events.
    pub checkpoints: Vec<Checkpoint>,
    /// The window's events in full.
    pub window: Vec<TraceEvent>,
    range: Range<u64>,
}

impl Trace {
    pub(crate) fn new(range: Range<u64>) -> Self {
        Self { range, ..Self::default() }
    }

    #[inline]
    pub(crate) fn event(&mut self, at_ns: u64, kind: TraceKind, node: u32, payload: u64) {
        let head = at_ns ^ (kind as u64) << 56 ^ u64::from(node) << 32;
        self.hash = mix(self.hash.rotate_left(17) ^ mix(head ^ mix(payload)));
        if self.range.contains(&self.events) {
            self.window.push(TraceEvent { number: self.events, at_ns, kind, node, payload });
        }
        self.events += 1;
        if self.events.is_multiple_of(CHECKPOINT_EVENTS) {
            self.checkpoints.push(Checkpoint { events: self.events, at_ns, hash: self.hash });
        }
    }
}

/// Two runs that should have been one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Divergence {
    /// The numbers of the events among which the first difference lies.
    pub events: Range<u64>,
    /// The first event that differs, if the window that holds it was recorded: what each run did (`None`: nothing,
    /// it had ended).
    pub first: Option<(Option<TraceEvent>, Option<TraceEvent>)>,
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.first {
            Some((one, two)) => {
                let text = |event: Option<TraceEvent>| match event {
                    Some(e) => format!(
                        "#{} {:?} node {} t={}ns {:016x}",
                        e.number, e.kind, e.node, e.at_ns, e.payload
                    ),
                    None => "nothing more".to_owned(),
                };
                write!(f, "the first run did {}, the second {}", text(one), text(two))
            }
            None => write!(f, "the runs part between events {} and {}", self.events.start, self.events.end),
        }
    }
}

/// Where two traces part, or `None` if they agree.
pub fn first_divergence(one: &Trace, two: &Trace) -> Option<Divergence> {
    if one.hash == two.hash && one.events == two.events {
        return None;
    }
    let agreed = one.checkpoints.iter().zip(&two.checkpoints).take_while(|(a, b)| a == b).count() as u64;
    let start = agreed * CHECKPOINT_EVENTS;
    let end = (start + CHECKPOINT_EVENTS).min(one.events.max(two.events));
    let covers = |t: &Trace| t.range.start <= start && t.range.end >= end;
    let first = (covers(one) && covers(two)).then(|| {
        let at = |t: &Trace, n: u64| t.window.get((n - t.range.start) as usize).copied();
        (start..end).map(|n| (at(one, n), at(two, n))).find(|(a, b)| a != b)
    });
    Some(Divergence { events: start..end, first: first.flatten() })
}

/// Runs twice and demands the same trace. `run` gets the window to record in full (see
/// [`Config::trace_window`](crate::Config::trace_window)) and returns [`WorldHandle::trace`](crate::WorldHandle::trace).
///
/// When the two differ, both are run again with the window in which they parted, so that the first differing event
/// can be named.
pub fn audit(mut run: impl FnMut(Range<u64>) -> Trace) -> Result<Trace, Divergence> {
    let (one, two) = (run(0..0), run(0..0));
    let Some(rough) = first_divergence(&one, &two) else { return Ok(one) };
    let (one, two) = (run(rough.events.clone()), run(rough.events.clone()));
    // maybe: the second pair parts elsewhere or not at all; then the rough answer is all there is.
    Err(first_divergence(&one, &two).unwrap_or(rough))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(window: Range<u64>, events: u64, odd: Option<u64>) -> Trace {
        let mut trace = Trace::new(window);
        for n in 0..events {
            trace.event(n * 10, TraceKind::Poll, 1, if odd == Some(n) { 1 } else { 0 });
        }
        trace
    }

    #[test]
    fn the_first_differing_event_is_named() {
        let mut turn = 0;
        let divergence = audit(|window| {
            turn += 1;
            run(window, 5000, (turn % 2 == 0).then_some(3333))
        })
        .expect_err("they differ");
        let (one, two) = divergence.first.expect("the window was recorded");
        assert_eq!((one.map(|e| e.number), two.map(|e| e.number)), (Some(3333), Some(3333)));
        assert!(divergence.to_string().contains("#3333"));
    }

    #[test]
    fn a_run_that_stops_earlier_differs() {
        let divergence =
            first_divergence(&run(0..4000, 2000, None), &run(0..4000, 2001, None)).expect("differs");
        let (one, two) = divergence.first.expect("recorded");
        assert_eq!((one, two.map(|e| e.number)), (None, Some(2000)));
    }

    #[test]
    fn equal_runs_agree() {
        assert!(audit(|window| run(window, 3000, None)).is_ok());
    }
}
