// The lanes: bars of incarnations, turns, spans of activations, and the marks of events.
function drawGrid(pen) {
  const { times } = ticks();
  pen.fillStyle = colours.faint;
  for (const time of times) pen.fillRect(Math.round(xOf(time)), 0, 1, height.lanes);
  for (const row of ROWS) pen.fillRect(0, row.top + row.size - 1, view.width, 1);
}

function drawLives(pen) {
  for (const row of ROWS) {
    const thick = row.isSilo ? 8 : 3;
    for (const life of T.lanes[row.lane].lives) {
      const from = Math.max(-10, xOf(life.from_ns)), to = Math.min(view.width + 10, xOf(life.to_ns));
      if (to < 0 || from > view.width) continue;
      pen.fillStyle = row.isSilo ? lifeColour(life.generation) : colours.line;
      pen.fillRect(from, row.bar - thick / 2, Math.max(1.5, to - from), thick);
      if (row.isSilo && to - from > 40) {
        pen.fillStyle = colours.paper;
        pen.textAlign = "left";
        pen.font = "600 9px system-ui, sans-serif";
        pen.fillText(`#${life.generation}`, Math.max(from, 0) + 4, row.bar + .5);
      }
      if (life.end !== "runs") drawEnd(pen, xOf(life.to_ns), row.bar, life.end);
    }
  }
}

// A cross for a crash, a square for a stop.
function drawEnd(pen, x, y, how) {
  pen.strokeStyle = pen.fillStyle = how === "crashed" ? colours.bad : colours.soft;
  pen.lineWidth = 2;
  if (how !== "crashed") { pen.fillRect(x - 3.5, y - 5.5, 7, 11); return; }
  pen.beginPath();
  pen.moveTo(x - 5, y - 5); pen.lineTo(x + 5, y + 5); pen.moveTo(x + 5, y - 5); pen.lineTo(x - 5, y + 5);
  pen.stroke();
}

function drawTurns(pen) {
  for (const turn of TURNS) {
    if (!shown[turn.event] && !(turn.end >= 0 && shown[turn.end])) continue;
    const from = xOf(turn.from), to = xOf(turn.to);
    if (to < 0 || from > view.width) continue;
    const row = ROWS[turn.lane];
    pen.fillStyle = turn.actor === filter.actor ? colours.accent : colours.turn;
    const y = row.top + PART.turns;
    pen.globalAlpha = .75;
    pen.fillRect(from, y - 4, Math.max(1.5, to - from), 8);
    pen.globalAlpha = 1;
    const room = to - from - 6;
    if (room > 30) {
      pen.fillStyle = colours.paper;
      pen.font = "9px system-ui, sans-serif";
      pen.textAlign = "left";
      pen.fillText(fitted(pen, T.actors[turn.actor], room), Math.max(from, 0) + 3, y + .5);
    }
  }
}

function drawActivations(pen) {
  if (!PART.spans) return;
  for (const span of ACTIVATIONS) {
    if (span.rank < 0 || filter.actor >= 0 && span.actor !== filter.actor || filter.slice && !shown[span.event]) continue;
    const from = xOf(span.from), to = xOf(span.to);
    if (to < 0 || from > view.width) continue;
    pen.fillStyle = rankColour(span.rank);
    pen.fillRect(from, ROWS[span.lane].top + PART.spans + span.rank * PART.spanSize, Math.max(1.5, to - from), PART.spanSize - 1.5);
  }
}

// Everything else is a mark. Marks that would lie on one another are drawn once.
function drawMarks(pen) {
  const last = new Map(), first = firstAt(view.from), end = firstAt(view.to + 1);
  for (let event = first; event < end; event++) {
    if (!shown[event] || E.frame[event] >= 0 || E.lane[event] < 0) continue;
    const kind = kindOf(event);
    if ((kind === "turn" || kind === "turn_end") && ROWS[E.lane[event]].isSilo) continue;
    const x = xOf(E.at[event]), y = yOf(event), colour = markColour(event), place = `${y}${colour}`;
    if (x - (last.get(place) ?? -9) < 1.2) continue;
    last.set(place, x);
    pen.fillStyle = colour;
    if (kind === "lease_lost" || kind === "stopped" || kind === "view" || kind === "fenced") {
      pen.beginPath(); pen.moveTo(x, y - 5); pen.lineTo(x + 4, y + 3); pen.lineTo(x - 4, y + 3); pen.fill();
    } else {
      pen.fillRect(x - 1, y - 3.5, 2, 7);
    }
  }
}

// What is chosen, and the lines to what it came from and what it led to.
function drawChosen(pen) {
  if (chosen.event < 0) return;
  const line = (from, to, colour) => {
    const [y1, y2] = [yOf(from), yOf(to)];
    if (y1 < 0 || y2 < 0) return;
    pen.strokeStyle = colour;
    pen.lineWidth = 1.8;
    pen.beginPath(); pen.moveTo(xOf(E.at[from]), y1); pen.lineTo(xOf(E.at[to]), y2); pen.stroke();
  };
  E.causes[chosen.event].forEach((cause) => line(cause, chosen.event, colours.accent));
  EFFECTS[chosen.event].forEach((effect) => line(chosen.event, effect, colours.good));
  const y = yOf(chosen.event), x = xOf(E.at[chosen.event]);
  if (y < 0) return;
  pen.strokeStyle = colours.ink;
  pen.lineWidth = 2;
  pen.beginPath(); pen.arc(x, y, 7, 0, 7); pen.stroke();
}

// A flag for each violation, through everything.
function drawFlags(pen, top, bottom, isHead) {
  T.violations.forEach((violation, at) => {
    const x = Math.round(xOf(violation.at)) + .5;
    if (x < -60 || x > view.width + 10) return;
    pen.strokeStyle = pen.fillStyle = colours.bad;
    pen.lineWidth = at === filter.violation ? 2 : 1;
    pen.setLineDash(isHead ? [] : [5, 3]);
    pen.beginPath(); pen.moveTo(x, top); pen.lineTo(x, bottom); pen.stroke();
    pen.setLineDash([]);
    if (!isHead || at > 0 && Math.abs(violation.at - T.violations[at - 1].at) / (view.to - view.from) * view.width < 40) return;
    pen.font = "600 10px system-ui, sans-serif";
    const room = pen.measureText(violation.checker).width + 10;
    pen.fillRect(x, top + 2, room, 15);
    pen.fillStyle = colours.paper;
    pen.textAlign = "left";
    pen.fillText(violation.checker, x + 5, top + 10);
  });
}

function drawLanes() {
  const pen = prepare(lanesCanvas, view.width, height.lanes);
  drawGrid(pen);
  drawLaneFaults(pen);
  drawStrips(pen);
  drawActivations(pen);
  drawMessages(pen);
  drawLives(pen);
  drawTurns(pen);
  drawMarks(pen);
  drawFlags(pen, 0, height.lanes, false);
  drawChosen(pen);
}
