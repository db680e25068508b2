// The panel: everything that is known of what is chosen. Texts of the run go in as text, never as HTML.
const detail = document.getElementById("detail");

function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value); else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

const rowsOf = (pairs) => make("table", {}, ...pairs.filter(([, value]) => value !== "" && value !== null && value !== undefined)
  .map(([name, value]) => make("tr", {}, make("td", {}, name), make("td", {}, value instanceof Node ? value : String(value)))));
const link = (text, act) => make("a", { class: "name", href: "#", onclick: (event) => { event.preventDefault(); act(); } }, text);
const wordsOfData = (value) => Array.isArray(value) ? value.join(", ") : typeof value === "object" && value ? JSON.stringify(value) : value;

function eventLinks(title, events) {
  if (!events.length) return null;
  const item = (event) => make("li", {}, make("button", { onclick: () => choose(event, true) },
    make("time", {}, seconds(E.at[event])), `${placeOf(event)}: ${textOf(event)}`));
  const more = events.length > 12 ? make("li", { class: "quiet" }, `and ${events.length - 12} more`) : null;
  return make("div", {}, make("h4", {}, title), make("ul", { class: "links" }, ...events.slice(0, 12).map(item), more));
}

function frameRows(frame) {
  const start = E.at[F.sent[frame]], flags = F.flags[frame];
  const notes = [["copy", "a copy that the network made"], ["held", "had to wait for its path"], ["damaged", "arrived damaged"]];
  return [
    ["frame", `${F.number[frame]}, ${T.texts[F.what[frame]]}, ${isControl(frame) ? "control" : "user"} lane`],
    ["from, to", `${T.texts[F.fromSilo[frame]]} \u2192 ${T.texts[F.toSilo[frame]]}`],
    ["bytes", F.bytes[frame]],
    ["fate", T.fates[F.fate[frame]]],
    ["on its way", F.end[frame] >= 0 ? lengthWords(E.at[F.end[frame]] - start) : ""],
    ["read after", F.taken[frame] >= 0 && F.end[frame] >= 0 ? lengthWords(F.taken[frame] - E.at[F.end[frame]]) : ""],
    ["note", notes.filter(([name]) => flags & FLAG[name]).map(([, words]) => words).join(", ")],
  ];
}

function showEvent(event) {
  const actor = E.actor[event], call = callOf(event), frame = E.frame[event], data = E.data[event] ?? {};
  const turn = TURNS.find((turn) => turn.event === event && turn.end >= 0);
  detail.replaceChildren(
    make("h2", {}, `event ${event}, ${kindOf(event).replaceAll("_", " ")}`),
    make("h3", {}, textOf(event)),
    rowsOf([
      ["when", seconds(E.at[event])],
      ["where", placeOf(event)],
      ["lasts", turn ? lengthWords(turn.to - turn.from) : ""],
      ["actor", actor >= 0 ? link(T.actors[actor], () => setActor(T.actors[actor])) : ""],
      ["call", call ? link(call, () => setCall(call)) : ""],
      ...(frame >= 0 ? frameRows(frame) : []),
      ...Object.entries(data).map(([name, value]) => [name.replaceAll("_", " "), wordsOfData(value)]),
    ]),
    ...[eventLinks("came from", E.causes[event]), eventLinks("led to", EFFECTS[event])].filter(Boolean),
    make("h4", {}, "look at this moment"),
    make("code", { class: "command" }, `quark sim goto ${T.story} --seed ${T.seed} --at ${(E.at[event] / 1e9).toFixed(9).replace(/0+$/, "").replace(/\.$/, "")}s`),
  );
}

function showLane(lane, time) {
  const { name, lives } = T.lanes[lane], strip = STRIPS[lane], samples = T.samples.lanes[lane], at = sampleAt(time);
  const life = lives.find((life) => life.from_ns <= time && time <= life.to_ns);
  detail.replaceChildren(
    make("h2", {}, T.lanes[lane].is_silo ? "silo" : "client"),
    make("h3", {}, `${name} at ${seconds(time)}`),
    rowsOf([
      ["incarnation", life ? `#${life.generation}, ${seconds(life.from_ns)} to ${seconds(life.to_ns)}, ${life.end}` : "none runs"],
      ...(strip ? [
        ["wall clock", `${lengthWords(samples.wall_offset_ns[at])} ahead`],
        ["rate", `${(samples.rate_ppb[at] / 1000).toFixed(1)} ppm too fast`],
        ["lease", samples.lease[at] ? "valid" : "none"],
        ["activations", samples.activations[at]],
        ["calls that wait", samples.pending[at]],
        ["messages that wait", samples.waiting[at]],
        ["frames on the way", samples.inbound[at]],
        ["slowness", samples.slowness_milli[at] === 1000 ? "" : `${samples.slowness_milli[at] / 1000} times`],
        ["read off at", seconds(T.samples.at_ns[at])],
      ] : []),
    ]),
  );
}

function showStep(step) {
  detail.replaceChildren(make("h2", {}, "step of the story"), make("h3", {}, `${step.part} ${step.text}`), rowsOf([["when", seconds(step.at)]]));
}

function showPoint(point) {
  const percent = point.futures ? Math.round(point.failed / point.futures * 100) : 0;
  detail.replaceChildren(
    make("h2", {}, "causality curve"),
    make("h3", {}, `${percent} % of the futures from ${seconds(point.at_ns)} on fail`),
    rowsOf([["futures", point.futures], ["fail alike", point.failed], ["fail otherwise", point.failed_otherwise]]),
    make("p", { class: "quiet" }, "Until then everything is as this seed has it; from then on, chance is drawn anew. Where the curve jumps, it was decided."),
  );
}

// With nothing chosen: the busiest actors, by the colour of their spans.
function showLegend() {
  const one = ({ actor, turns }, rank) => [
    make("span", {}, make("i", { style: `background:${rankColour(rank)}` }), link(T.actors[actor], () => setActor(T.actors[actor]))),
    make("span", {}, `${turns} turns`),
  ];
  detail.replaceChildren(
    make("h2", {}, "busiest actors"),
    BUSIEST.length ? make("div", { class: "legend" }, ...BUSIEST.flatMap(one)) : make("p", { class: "quiet" }, "no actor took a turn"),
    make("h4", {}, "nothing is chosen"),
    make("p", { class: "quiet" }, "Click on anything in the timeline to see all that was recorded of it, what it came from, and what it led to."),
  );
}
