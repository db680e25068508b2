// Light or dark, and the colours of the style sheet for the canvas.
let colours = {};
function readColours() {
  const style = getComputedStyle(document.documentElement);
  const names = ["paper", "raised", "sunk", "line", "faint", "ink", "soft", "pale", "accent", "bad", "good", "turn", "commit", "store", "lease",
    "view", "call", "message", "control", "fault", "step", "curve", "clock", "queue"];
  for (let n = 1; n <= 6; n++) names.push(`life-${n}`, `actor-${n}`);
  colours = Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  readColours();
}
const prefersDark = matchMedia("(prefers-color-scheme: dark)");
setTheme(prefersDark.matches ? "dark" : "light");

const lifeColour = (generation) => colours[`life-${(generation - 1) % 6 + 1}`] ?? colours["life-1"];

// The kinds of events in groups: what a chip of the filters switches, and the colour of their marks.
const GROUPS = [
  { name: "turns", colour: "turn", kinds: ["turn", "turn_end"] },
  { name: "commits", colour: "commit", kinds: ["commit_asked", "reminder_asked", "commit", "store_commit", "fenced", "store_went_back"] },
  { name: "calls", colour: "call", kinds: ["invoked", "returned", "call", "call_end", "dead_letter"] },
  { name: "activations", colour: "store", kinds: ["placed", "activated", "deactivated"] },
  { name: "leases, views", colour: "lease", kinds: ["joined", "view", "lease_held", "lease_lost", "stopped"] },
  { name: "faults", colour: "fault", kinds: ["crashed", "paused", "resumed", "fault", "fault_end", "healed", "quiet", "sampled", "observed", "waived"] },
  { name: "messages", colour: "message", kinds: [] },
  { name: "control messages", colour: "control", kinds: [] },
];
const GROUP_OF_KIND = new Array(T.kinds.length).fill(0);
GROUPS.forEach((group, at) => group.kinds.forEach((kind) => { GROUP_OF_KIND[KIND[kind]] = at; }));
const MESSAGES = GROUPS.findIndex((group) => group.name === "messages"), CONTROL = MESSAGES + 1;

function groupOf(event) {
  const frame = E.frame[event];
  return frame < 0 ? GROUP_OF_KIND[E.kind[event]] : isControl(frame) ? CONTROL : MESSAGES;
}

// The mark of an event: a few kinds stand out of their group.
function markColour(event) {
  const kind = kindOf(event);
  if (kind === "lease_lost" || kind === "fenced" || kind === "crashed" || kind === "dropped") return colours.bad;
  if (kind === "view" || kind === "joined") return colours.view;
  return colours[GROUPS[groupOf(event)].colour];
}
