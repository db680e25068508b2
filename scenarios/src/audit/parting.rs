//! Where two tellings of one story part.

use super::told::{Event, Told};
use std::fmt;
use std::ops::Range;

/// How many events are shown before the first that differs.
const BEFORE: u64 = 6;
/// And from there on.
const AFTER: usize = 4;

/// The first difference of two tellings.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Parting {
    /// The events among which it lies.
    pub within: Range<u64>,
    /// The events before it, which are the same.
    pub before: Vec<Event>,
    /// What the one did from then on, and the other.
    pub then: (Vec<Event>, Vec<Event>),
}

/// Tells both again with the events in full among which they part, and finds the first that differs.
///
/// The two rolling hashes were the same at every checkpoint up to the window, so nothing before it differs. Each telling
/// again may differ from what it was before: that is what is wrong with them. So the window is that of the second pair.
///
/// Errors: what a telling says that fails.
pub(super) fn find(
    tell: &mut dyn FnMut(Range<u64>) -> Result<(Told, Told), String>,
) -> Result<Option<Parting>, String> {
    let (one, two) = tell(0..0)?;
    let Some(rough) = window(&one, &two) else { return Ok(None) };
    let wide = rough.start.saturating_sub(BEFORE)..rough.end;
    let (one, two) = tell(wide)?;
    let Some(within) = window(&one, &two) else { return Ok(None) };
    let same = one.window.iter().zip(&two.window).take_while(|(one, two)| one == two).count();
    let tail = |told: &Told| told.window.iter().skip(same).take(AFTER).cloned().collect::<Vec<_>>();
    let then = (tail(&one), tail(&two));
    let before = one.window[same.saturating_sub(BEFORE as usize)..same].to_vec();
    Ok(Some(Parting { within, before, then }))
}

/// The numbers of the events among which two tellings part, `None` if they do not.
pub(super) fn window(one: &Told, two: &Told) -> Option<Range<u64>> {
    if (one.hash, one.events) == (two.hash, two.events) {
        return None;
    }
    let agreed = one.checkpoints.iter().zip(&two.checkpoints).take_while(|(a, b)| a == b).count();
    let start = agreed.checked_sub(1).map_or(0, |last| one.checkpoints[last].0);
    let next = [one, two].iter().filter_map(|told| told.checkpoints.get(agreed)).map(|c| c.0).max();
    Some(start..next.unwrap_or(one.events.max(two.events)))
}

impl fmt::Display for Parting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "    they part between events {} and {}", self.within.start, self.within.end)?;
        for event in &self.before {
            writeln!(f, "      both  {event}")?;
        }
        let sides = [("one  ", &self.then.0), ("other", &self.then.1)];
        for (side, events) in sides {
            match events.first() {
                Some(first) => writeln!(f, "    > {side} {first}")?,
                None => writeln!(f, "    > {side} nothing more")?,
            }
            for event in events.iter().skip(1) {
                writeln!(f, "      {side} {event}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(number: u64, payload: u64) -> Event {
        Event { number, at_ns: number * 10, kind: "Note".into(), node: 0, payload }
    }

    /// A telling of 5000 events, of which `odd` differs by `by`.
    fn told(window: &Range<u64>, odd: u64, by: u64) -> Told {
        let hash = |events: u64| if events > odd { events + by } else { events };
        let checkpoints = (1..5).map(|n| (n * 1024, n, hash(n * 1024))).collect();
        let window = window.clone().filter(|n| *n < 5000).map(|n| event(n, if n == odd { by } else { 0 }));
        let (engine, violation) = (1, None);
        Told { engine, hash: hash(5000), events: 5000, checkpoints, window: window.collect(), violation }
    }

    #[test]
    fn the_first_event_that_differs_is_named_with_what_was_before_it() {
        let found = find(&mut |window| Ok((told(&window, 3333, 1), told(&window, 3333, 2))));
        let parting = found.expect("both are told").expect("they differ");
        assert_eq!(parting.within, 3072..4096);
        assert_eq!(parting.before.last().map(|e| e.number), Some(3332));
        assert_eq!(parting.then.0[0], event(3333, 1));
        assert_eq!(parting.then.1[0], event(3333, 2));
        assert!(parting.to_string().contains("> one   #3333"), "{parting}");
    }

    #[test]
    fn a_difference_at_the_very_start_or_the_very_end_is_found() {
        for odd in [0, 1023, 1024, 4999] {
            let found = find(&mut |window| Ok((told(&window, odd, 1), told(&window, odd, 2))));
            let parting = found.expect("both are told").expect("they differ");
            assert_eq!(parting.then.0[0].number, odd);
        }
    }

    #[test]
    fn equal_tellings_do_not_part() {
        let found = find(&mut |window| Ok((told(&window, 7, 1), told(&window, 7, 1))));
        assert_eq!(found, Ok(None));
    }
}
