//! A telling as the page wants it: one list for each field, and every text once.

use super::super::{Entry, EntryKind, Fate, Frame, Telling};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const FATES: [Fate; 6] =
    [Fate::UnderWay, Fate::Delivered, Fate::Lost, Fate::Swallowed, Fate::Unsent, Fate::Undeliverable];

/// The data of the page; its reader is `data.js`.
pub(super) fn of(telling: &Telling) -> Value {
    let mut texts = Texts::default();
    let events = events(&telling.events, &mut texts);
    let frames = frames(&telling.frames, &mut texts);
    let violations = telling.report.violations.iter().zip(&telling.marks).map(|(found, mark)| {
        json!({ "checker": found.checker, "message": found.message, "at": found.at.0, "events": mark.events })
    });
    json!({
        "story": telling.story,
        "premise": telling.premise,
        "seed": telling.seed.to_string(),
        "engine": telling.engine,
        "schema": telling.schema,
        "trace": format!("{:016x}", telling.report.hash.0),
        "traced": telling.report.hash.1,
        "end": u64::try_from(telling.report.simulated.as_nanos()).unwrap_or(u64::MAX),
        "missing": telling.missing,
        "kinds": EntryKind::ALL.iter().map(|kind| kind.name()).collect::<Vec<_>>(),
        "fates": FATES.map(Fate::words),
        "lanes": telling.lanes,
        "actors": telling.actors,
        "events": events,
        "frames": frames,
        "faults": telling.faults.iter().map(|band| {
            let mut value = json!(band);
            value["words"] = json!(band.words());
            value
        }).collect::<Vec<_>>(),
        "samples": telling.samples,
        "steps": telling.report.steps,
        "violations": violations.collect::<Vec<_>>(),
        "plan": telling.plan,
        "curve": telling.curve,
        "texts": texts.all,
    })
}

/// Every text once, by number in order of first mention.
#[derive(Default)]
struct Texts {
    all: Vec<String>,
    number: BTreeMap<String, usize>,
}

impl Texts {
    fn number(&mut self, text: &str) -> usize {
        if let Some(known) = self.number.get(text) {
            return *known;
        }
        self.all.push(text.to_owned());
        self.number.insert(text.to_owned(), self.all.len() - 1);
        self.all.len() - 1
    }
}

/// A position, or -1 for none.
fn or_none(position: Option<u32>) -> i64 {
    position.map_or(-1, i64::from)
}

fn events(events: &[Entry], texts: &mut Texts) -> Value {
    let kind = |entry: &Entry| EntryKind::ALL.iter().position(|kind| *kind == entry.kind);
    let text: Vec<usize> = events.iter().map(|entry| texts.number(&entry.text)).collect();
    let call: Vec<i64> =
        events.iter().map(|entry| entry.call.as_ref().map_or(-1, |call| texts.number(call) as i64)).collect();
    json!({
        "at": events.iter().map(|entry| entry.at.0).collect::<Vec<_>>(),
        "kind": events.iter().map(kind).collect::<Vec<_>>(),
        "lane": events.iter().map(|entry| or_none(entry.lane)).collect::<Vec<_>>(),
        "life": events.iter().map(|entry| entry.life.unwrap_or(0)).collect::<Vec<_>>(),
        "actor": events.iter().map(|entry| or_none(entry.actor)).collect::<Vec<_>>(),
        "frame": events.iter().map(|entry| or_none(entry.frame)).collect::<Vec<_>>(),
        "call": call,
        "text": text,
        "data": events.iter().map(|entry| (!entry.data.is_empty()).then_some(&entry.data)).collect::<Vec<_>>(),
        "causes": events.iter().map(|entry| &entry.causes).collect::<Vec<_>>(),
    })
}

fn frames(frames: &[Frame], texts: &mut Texts) -> Value {
    let fate = |frame: &Frame| FATES.iter().position(|fate| *fate == frame.fate);
    let what: Vec<usize> = frames.iter().map(|frame| texts.number(&frame.what)).collect();
    let mut silo = |name: &str| texts.number(name);
    let from_silo: Vec<usize> = frames.iter().map(|frame| silo(&frame.silos.0)).collect();
    let to_silo: Vec<usize> = frames.iter().map(|frame| silo(&frame.silos.1)).collect();
    // Bits: copy, held, damaged, control.
    let flags = |frame: &Frame| {
        u8::from(frame.is_copy)
            | u8::from(frame.was_held) << 1
            | u8::from(frame.is_damaged) << 2
            | u8::from(frame.lane == "control") << 3
    };
    json!({
        "number": frames.iter().map(|frame| frame.number).collect::<Vec<_>>(),
        "from": frames.iter().map(|frame| frame.from).collect::<Vec<_>>(),
        "to": frames.iter().map(|frame| or_none(frame.to)).collect::<Vec<_>>(),
        "fromSilo": from_silo,
        "toSilo": to_silo,
        "what": what,
        "bytes": frames.iter().map(|frame| frame.bytes).collect::<Vec<_>>(),
        "sent": frames.iter().map(|frame| frame.sent).collect::<Vec<_>>(),
        "end": frames.iter().map(|frame| or_none(frame.end)).collect::<Vec<_>>(),
        "fate": frames.iter().map(fate).collect::<Vec<_>>(),
        "taken": frames.iter().map(|frame| frame.taken.map_or(-1, |at| at.0 as i64)).collect::<Vec<_>>(),
        "flags": frames.iter().map(flags).collect::<Vec<_>>(),
    })
}
