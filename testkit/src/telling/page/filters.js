// What is shown: by actor, by call, by kind, and by what led to a violation.
const filter = { actor: -1, call: "", groups: GROUPS.map((_, at) => at !== CONTROL), slice: null, violation: -1 };
let shown = new Uint8Array(COUNT);        // events, by number
let shownFrames = new Uint8Array(F.sent.length);
let counts = { events: 0, frames: 0, groups: [] };

const isAboutActor = (event) => filter.actor < 0 || E.actor[event] === filter.actor;
const isAboutCall = (event) => !filter.call || callOf(event).includes(filter.call);

function applyFilters() {
  const groups = GROUPS.map(() => 0);
  counts = { events: 0, frames: 0, groups };
  const isNarrow = filter.actor >= 0 || filter.call !== "";
  for (let event = 0; event < COUNT; event++) {
    const group = groupOf(event);
    // Without an actor or a call to look for, what was done to the world is about everybody.
    const isAbout = isNarrow ? isAboutActor(event) && isAboutCall(event) || T.kinds[E.kind[event]] === "fault" : true;
    const isIn = filter.slice ? filter.slice.has(event) && isAbout : isAbout;
    if (isIn && E.frame[event] < 0) groups[group]++;
    shown[event] = isIn && (filter.groups[group] || filter.slice !== null) ? 1 : 0;
    counts.events += shown[event];
  }
  for (let frame = 0; frame < shownFrames.length; frame++) {
    const ends = F.end[frame] >= 0 && shown[F.end[frame]];
    shownFrames[frame] = filter.slice ? (shown[F.sent[frame]] && ends ? 1 : 0) : shown[F.sent[frame]];
    counts.frames += shownFrames[frame];
  }
  for (let frame = 0; frame < shownFrames.length; frame++) {
    const sent = F.sent[frame], isAbout = !isNarrow || isAboutActor(sent) && isAboutCall(sent);
    if (isAbout && (!filter.slice || filter.slice.has(sent))) groups[isControl(frame) ? CONTROL : MESSAGES]++;
  }
}
