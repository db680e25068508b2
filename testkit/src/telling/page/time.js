// True time, from nanoseconds to pixels and back.
const view = { from: 0, to: Math.max(T.end, 1), width: 1 };
const WHOLE = { from: 0, to: Math.max(T.end, 1) };
const NARROWEST = 20e3; // 20 microseconds across the whole stage

const xOf = (time) => (time - view.from) / (view.to - view.from) * view.width;
const timeOf = (x) => view.from + x / view.width * (view.to - view.from);

function look(from, to) {
  const margin = (WHOLE.to - WHOLE.from) * 0.02;
  const span = Math.min(Math.max(to - from, NARROWEST), WHOLE.to + 2 * margin);
  const middle = (from + to) / 2;
  let start = middle - span / 2;
  start = Math.max(-margin, Math.min(start, WHOLE.to + margin - span));
  view.from = start;
  view.to = start + span;
}

const pan = (share) => look(view.from + (view.to - view.from) * share, view.to + (view.to - view.from) * share);

// Zooms by a factor around a time, which stays where it is.
function zoom(factor, around) {
  const middle = around ?? (view.from + view.to) / 2;
  look(middle - (middle - view.from) * factor, middle + (view.to - middle) * factor);
}

const ease = (t) => 1 - (1 - t) ** 3;
const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;

// Goes there, so that the eye can follow.
function travel(from, to, draw) {
  const start = { ...view }, begun = performance.now(), lasts = isCalm ? 0 : 280;
  const step = (now) => {
    const t = lasts ? Math.min(1, (now - begun) / lasts) : 1, e = ease(Math.max(0, t));
    look(start.from + (from - start.from) * e, start.to + (to - start.to) * e);
    draw();
    if (t < 1) requestAnimationFrame(step);
  };
  if (lasts) requestAnimationFrame(step); else step(begun);
}

// 11.934947 s
const seconds = (ns) => `${(ns / 1e9).toFixed(6)} s`;

// A length of time in the unit that shows it best.
function lengthWords(ns) {
  const size = Math.abs(ns), sign = ns < 0 ? "\u2212" : "";
  const [unit, name] = size < 1e3 ? [1, "ns"] : size < 1e6 ? [1e3, "\u00b5s"] : size < 1e9 ? [1e6, "ms"] : size < 3.6e12 ? [1e9, "s"] : [3.6e12, "h"];
  return `${sign}${+(size / unit).toPrecision(3)} ${name}`;
}

// Distances between ticks that people count in, and one that fits.
const STEPS = [1, 2, 5].flatMap((n) => Array.from({ length: 14 }, (_, power) => n * 10 ** power))
  .filter((ns) => ns < 60e9).concat([60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400, 604800].map((s) => s * 1e9)).sort((a, b) => a - b);
function ticks() {
  const wanted = (view.to - view.from) / (view.width / 110);
  const step = STEPS.find((step) => step >= wanted) ?? STEPS.at(-1);
  const found = [];
  for (let time = Math.max(0, Math.ceil(view.from / step) * step); time <= Math.min(view.to, WHOLE.to); time += step) found.push(time);
  return { step, times: found };
}

function tickWords(time, step) {
  const digits = Math.max(0, Math.min(9, -Math.floor(Math.log10(step / 1e9) + 1e-9)));
  return `${(time / 1e9).toFixed(digits)} s`;
}
