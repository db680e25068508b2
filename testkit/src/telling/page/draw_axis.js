// The head of the stage: the whole run, the time, the curve, and the steps of the story.
const axisCanvas = document.getElementById("axis"), lanesCanvas = document.getElementById("lanes");

// Makes a canvas as sharp as the screen.
function prepare(canvas, width, size) {
  const ratio = size * devicePixelRatio > 30000 ? 1 : devicePixelRatio;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(size * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(size * ratio);
    canvas.style.height = `${size}px`;
  }
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, size);
  pen.font = '11px system-ui, "Segoe UI", "DejaVu Sans", sans-serif';
  pen.textBaseline = "middle";
  return pen;
}

// How much happens when, over the whole run: what is shown of it now is bright.
function drawOverview(pen) {
  const bins = Math.max(1, Math.floor(view.width / 3)), density = new Float64Array(bins);
  for (let event = 0; event < COUNT; event++) if (shown[event]) density[Math.min(bins - 1, Math.floor(E.at[event] / WHOLE.to * bins))]++;
  const most = Math.max(1, ...density), size = HEAD.overview - 8;
  pen.fillStyle = colours.sunk;
  pen.fillRect(0, 0, view.width, HEAD.overview);
  pen.fillStyle = colours.pale;
  for (let bin = 0; bin < bins; bin++) {
    const bar = Math.sqrt(density[bin] / most) * size;
    pen.fillRect(bin * 3, HEAD.overview - 2 - bar, 2, bar);
  }
  const x = (time) => time / WHOLE.to * view.width;
  for (const violation of T.violations) {
    pen.fillStyle = colours.bad;
    pen.fillRect(x(violation.at) - 1, 0, 2, HEAD.overview);
  }
  const from = Math.max(0, x(view.from)), to = Math.min(view.width, x(view.to));
  pen.fillStyle = colours.paper;
  pen.globalAlpha = .62;
  pen.fillRect(0, 0, from, HEAD.overview);
  pen.fillRect(to, 0, view.width - to, HEAD.overview);
  pen.globalAlpha = 1;
  pen.strokeStyle = colours.accent;
  pen.lineWidth = 1.5;
  pen.strokeRect(from + .75, .75, Math.max(2, to - from - 1.5), HEAD.overview - 1.5);
}

function drawTicks(pen) {
  const top = HEAD.axisTop, { step, times } = ticks();
  pen.fillStyle = colours.soft;
  pen.textAlign = "left";
  for (const time of times) {
    const x = Math.round(xOf(time)) + .5;
    pen.fillRect(x, top + HEAD.axis - 6, 1, 6);
    pen.fillText(tickWords(time, step), x + 4, top + 12);
  }
}

// How likely the failure was, given the past until there.
function drawCurve(pen) {
  if (!T.curve) return;
  const top = HEAD.curveTop + 6, size = HEAD.curve - 12;
  const y = (point) => top + size - (point.futures ? point.failed / point.futures : 0) * size;
  if (T.curve.jump) {
    const from = xOf(T.curve.jump.from_ns), to = xOf(T.curve.jump.to_ns);
    pen.fillStyle = colours.bad;
    pen.globalAlpha = .18;
    pen.fillRect(Math.min(from, to - 3), HEAD.curveTop, Math.max(3, to - from), HEAD.curve);
    pen.globalAlpha = 1;
  }
  pen.strokeStyle = colours.line;
  pen.lineWidth = 1;
  pen.strokeRect(.5, top - .5, view.width - 1, size + 1);
  const points = T.curve.points;
  pen.beginPath();
  points.forEach((point, at) => {
    const x = xOf(point.at_ns);
    if (at === 0) pen.moveTo(x, y(point)); else pen.lineTo(x, y(point));
  });
  pen.strokeStyle = colours.curve;
  pen.lineWidth = 1.5;
  pen.stroke();
  pen.fillStyle = colours.curve;
  for (const point of points) { pen.beginPath(); pen.arc(xOf(point.at_ns), y(point), 2.5, 0, 7); pen.fill(); }
}

const STEP_PARTS = { given: "given", when: "when", then: "then", finally: "finally" };
function drawSteps(pen) {
  const middle = HEAD.stepsTop + HEAD.steps / 2;
  let free = -Infinity;
  pen.textAlign = "left";
  T.steps.forEach((step, at) => {
    const x = xOf(step.at);
    if (x < -400 || x > view.width + 20) return;
    const next = T.steps[at + 1] ? xOf(T.steps[at + 1].at) : Infinity;
    pen.fillStyle = step.part === "when" ? colours.fault : colours.step;
    pen.beginPath();
    pen.moveTo(x, middle - 4); pen.lineTo(x + 4, middle); pen.lineTo(x, middle + 4); pen.lineTo(x - 4, middle);
    pen.fill();
    const room = Math.min(next, view.width) - x - 14;
    if (x + 8 < free || room < 36) return;
    const words = fitted(pen, `${STEP_PARTS[step.part]} ${step.text}`, room);
    pen.fillStyle = colours.soft;
    pen.fillText(words, x + 8, middle);
    free = x + 12 + pen.measureText(words).width;
  });
}

// As much of a text as there is room for.
function fitted(pen, text, room) {
  if (pen.measureText(text).width <= room) return text;
  let low = 0, high = text.length;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (pen.measureText(text.slice(0, middle) + "\u2026").width <= room) low = middle; else high = middle - 1;
  }
  return low > 2 ? text.slice(0, low) + "\u2026" : "";
}

function drawHead() {
  const pen = prepare(axisCanvas, view.width, height.head);
  drawOverview(pen);
  drawTicks(pen);
  drawCurve(pen);
  drawSteps(pen);
  drawGlobalFaults(pen);
  drawFlags(pen, HEAD.axisTop, height.head, true);
}
