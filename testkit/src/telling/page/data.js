// What was recorded. Events and frames come in columns: one list for each field, -1 for nothing, texts by number.
const T = JSON.parse(document.getElementById("telling").textContent);
const E = T.events, F = T.frames;
const COUNT = E.at.length;
const KIND = Object.fromEntries(T.kinds.map((name, number) => [name, number]));
const kindOf = (event) => T.kinds[E.kind[event]];
const textOf = (event) => T.texts[E.text[event]];
const callOf = (event) => E.call[event] < 0 ? "" : T.texts[E.call[event]];
const laneOf = (event) => E.lane[event];
const FLAG = { copy: 1, held: 2, damaged: 4, control: 8 };
const isControl = (frame) => (F.flags[frame] & FLAG.control) !== 0;
const isDropped = (frame) => F.fate[frame] > 1;

// The incarnation on which something happened: a#2.
function placeOf(event) {
  if (E.lane[event] < 0) return "world";
  const name = T.lanes[E.lane[event]].name;
  return E.life[event] ? `${name}#${E.life[event]}` : name;
}

// What each event led to: the causes, turned round.
const EFFECTS = Array.from({ length: COUNT }, () => []);
E.causes.forEach((causes, event) => causes.forEach((cause) => EFFECTS[cause].push(event)));

// When a frame arrived or was lost; the end of the run if it never did.
const endOfFrame = (frame) => F.end[frame] < 0 ? T.end : E.at[F.end[frame]];

// The first event at or after a time.
function firstAt(time) {
  let low = 0, high = COUNT;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (E.at[middle] < time) low = middle + 1; else high = middle;
  }
  return low;
}
