// What is under the pointer: the nearest mark, else a message, a turn, an activation, a fault, or a life.
const chosen = { event: -1, what: null };
const REACH = 6;

// { event } or { band } or { lane, time } or { step } or { point } or null.
function pickLanes(x, y) {
  const time = timeOf(x), near = (view.to - view.from) / view.width * REACH;
  let best = null, bestDistance = REACH + 2;
  const offer = (event, distance) => { if (distance < bestDistance) { best = event; bestDistance = distance; } };
  for (let event = firstAt(time - near), end = firstAt(time + near); event < end; event++) {
    if (!shown[event] || E.frame[event] >= 0) continue;
    const markY = yOf(event);
    if (markY >= 0 && Math.abs(markY - y) < 7) offer(event, Math.abs(xOf(E.at[event]) - x) + Math.abs(markY - y) * .3);
  }
  if (best !== null) return { event: best };
  for (const frame of arrows.list ?? []) {
    const x1 = xOf(E.at[F.sent[frame]]), x2 = xOf(endOfFrame(frame));
    if (x < x1 - REACH || x > x2 + REACH) continue;
    const distance = toSegment(x, y, x1, barOf(F.from[frame]), x2, barOf(F.to[frame]));
    if (distance < 5 && distance < bestDistance) {
      // The half that is nearer: the sending or the arrival.
      best = F.end[frame] >= 0 && (Math.abs(x2 - x1) < 4 ? y - barOf(F.from[frame]) : x - x1) > (Math.abs(x2 - x1) < 4 ? barOf(F.to[frame]) - y : x2 - x) ? F.end[frame] : F.sent[frame];
      bestDistance = distance;
    }
  }
  if (best !== null) return { event: best };
  const row = ROWS.find((row) => y >= row.top && y < row.top + row.size);
  if (!row) return null;
  const turn = TURNS.find((turn) => turn.lane === row.lane && shown[turn.event] && turn.from <= time + near && turn.to >= time - near && Math.abs(row.top + PART.turns - y) < 6);
  if (turn && row.isSilo) return { event: turn.event };
  if (row.isSilo && PART.spans && y >= row.top + PART.spans && y < row.top + PART.spans + RANKS * PART.spanSize) {
    const rank = Math.floor((y - row.top - PART.spans) / PART.spanSize);
    const span = ACTIVATIONS.find((span) => span.lane === row.lane && span.rank === rank && span.from <= time && span.to >= time);
    if (span) return { event: span.event };
  }
  const band = T.faults.find((band) => band.lanes.includes(row.lane) && isFaultShown(band) && band.from_ns <= time + near && band.to_ns >= time - near);
  if (band && y > row.top + row.size - 28) return { event: band.event };
  return { lane: row.lane, time };
}

function pickHead(x, y) {
  const time = timeOf(x), near = (view.to - view.from) / view.width * REACH;
  if (y < HEAD.overview) return null;
  const flag = T.violations.findIndex((violation) => x >= xOf(violation.at) - 4 && x <= xOf(violation.at) + 34 && y >= HEAD.axisTop && y < HEAD.axisTop + HEAD.axis);
  if (flag >= 0) return { violation: flag };
  if (T.curve && y >= HEAD.curveTop && y < HEAD.curveTop + HEAD.curve) {
    const point = T.curve.points.reduce((best, point) => Math.abs(point.at_ns - time) < Math.abs((best?.at_ns ?? Infinity) - time) ? point : best, null);
    return point && { point };
  }
  if (y >= HEAD.stepsTop && y < HEAD.stepsTop + HEAD.steps) {
    const step = T.steps.filter((step) => step.at <= time + near).at(-1);
    return step && { step };
  }
  const row = Math.floor((y - HEAD.faultsTop) / 15);
  const band = GLOBAL_FAULTS.find((band) => band.row === row && band.from_ns <= time + near && band.to_ns >= time - near);
  return band ? { event: band.event } : null;
}

function toSegment(x, y, x1, y1, x2, y2) {
  const dx = x2 - x1, dy = y2 - y1, length = dx * dx + dy * dy || 1;
  const share = Math.max(0, Math.min(1, ((x - x1) * dx + (y - y1) * dy) / length));
  return Math.hypot(x - x1 - share * dx, y - y1 - share * dy);
}
