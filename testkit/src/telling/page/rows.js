// Where things are, from top to bottom.
const HEAD = { overview: 30, steps: 20, curve: T.curve ? 64 : 0, faults: 0, axis: 24 };
const isCompact = T.lanes.length > 40;
const SILO = isCompact ? 34 : 104, CLIENT = isCompact ? 18 : 30;
const ROWS = [];
const height = { head: 0, lanes: 0 };

// Faults that hit nobody by name are drawn in the head, below one another where they overlap.
const GLOBAL_FAULTS = T.faults.filter((band) => band.groups.length === 0);
(function placeGlobalFaults() {
  const ends = [];
  for (const band of GLOBAL_FAULTS) {
    let row = ends.findIndex((end) => end <= band.from_ns);
    if (row < 0) row = Math.min(ends.length, 3);
    ends[row] = Math.max(ends[row] ?? 0, band.to_ns);
    band.row = row;
  }
  HEAD.faults = ends.length ? Math.min(ends.length, 4) * 15 + 3 : 0;
})();

(function placeRows() {
  let y = 0;
  T.lanes.forEach((lane, at) => {
    const size = lane.is_silo ? SILO : CLIENT;
    ROWS.push({ lane: at, top: y, size, bar: y + (lane.is_silo ? 14 : size / 2), isSilo: lane.is_silo });
    y += size;
  });
  height.lanes = y + 16;
  let top = 0;
  for (const part of ["overview", "axis", "curve", "steps", "faults"]) { HEAD[`${part}Top`] = top; top += HEAD[part]; }
  height.head = top;
})();

// The parts of a silo's row, as distances from its top.
const PART = isCompact
  ? { bar: 14, turns: 22, events: 29, spans: null, clock: null, queue: null }
  : { bar: 14, turns: 27, events: 40, spans: 50, spanSize: 4, clock: 78, queue: 92, strip: 9 };
const barOf = (lane) => ROWS[lane].bar;

// Where the mark of an event is.
function yOf(event) {
  const lane = E.lane[event];
  if (lane < 0) return -1;
  const row = ROWS[lane], kind = kindOf(event);
  if (!row.isSilo) return row.bar;
  if (kind === "turn" || kind === "turn_end") return row.top + PART.turns;
  if (E.frame[event] >= 0 || GROUP_OF_KIND[E.kind[event]] === 5) return row.bar;
  return row.top + PART.events;
}
