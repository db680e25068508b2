// What was done to the world: hatched bands behind the lanes that it hit, and in the head if it hit everybody.
function hatch(pen) {
  const tile = document.createElement("canvas");
  tile.width = tile.height = 8;
  const t = tile.getContext("2d");
  t.strokeStyle = colours.fault;
  t.lineWidth = 1;
  t.globalAlpha = .55;
  t.beginPath(); t.moveTo(-2, 10); t.lineTo(10, -2); t.moveTo(-2, 2); t.lineTo(2, -2); t.moveTo(6, 10); t.lineTo(10, 6);
  t.stroke();
  return pen.createPattern(tile, "repeat");
}

function laneOfName(name) {
  return T.lanes.findIndex((lane) => lane.name === name);
}
for (const band of T.faults) band.lanes = band.groups.flat().map(laneOfName).filter((lane) => lane >= 0);
// Of a cut, the smaller side is what is cut off: hatching everybody would say nothing.
for (const band of T.faults) {
  if (band.groups.length < 2) continue;
  const sides = band.groups.map((group) => group.map(laneOfName).filter((lane) => lane >= 0 && T.lanes[lane].is_silo));
  const smallest = sides.filter((side) => side.length > 0).sort((a, b) => a.length - b.length)[0];
  if (smallest) band.lanes = smallest;
}

const isFaultShown = (band) => filter.groups[5] || filter.slice?.has(band.event);

function drawLaneFaults(pen) {
  const pattern = hatch(pen), labels = new Map();
  for (const band of T.faults) {
    if (!band.lanes.length || !isFaultShown(band)) continue;
    const from = Math.max(-2, xOf(band.from_ns)), to = Math.min(view.width + 2, band.is_momentary ? from + 2 : xOf(band.to_ns));
    if (to < 0 || from > view.width) continue;
    for (const lane of band.lanes) {
      const row = ROWS[lane];
      pen.fillStyle = colours.fault;
      pen.globalAlpha = .09;
      pen.fillRect(from, row.top + 1, to - from, row.size - 2);
      pen.globalAlpha = band.is_momentary ? 1 : .6;
      pen.fillStyle = band.is_momentary ? colours.fault : pattern;
      pen.fillRect(from, row.top + 1, Math.max(2, to - from), row.size - 2);
      pen.globalAlpha = 1;
      pen.fillStyle = colours.fault;
      pen.fillRect(from, row.top + 1, 1.5, row.size - 2);
      // Names below one another, where several begin together.
      const x = Math.max(from, 0) + 5, key = `${lane}/${Math.round(x / 60)}`, line = labels.get(key) ?? 0;
      if (row.isSilo && line < 2 && to - from > 24) {
        labels.set(key, line + 1);
        pen.font = "600 10px system-ui, sans-serif";
        pen.textAlign = "left";
        const words = fitted(pen, band.what, Math.min(to, view.width) - x - 4), y = row.top + row.size - 9 - line * 12;
        if (!words) continue;
        pen.fillStyle = colours.paper;
        pen.globalAlpha = .8;
        pen.fillRect(x - 2, y - 6, pen.measureText(words).width + 4, 12);
        pen.globalAlpha = 1;
        pen.fillStyle = colours.fault;
        pen.fillText(words, x, y);
      }
    }
  }
}

function drawGlobalFaults(pen) {
  const pattern = hatch(pen);
  for (const band of GLOBAL_FAULTS) {
    if (!isFaultShown(band)) continue;
    const from = xOf(band.from_ns), to = band.is_momentary ? from + 3 : xOf(band.to_ns);
    if (to < 0 || from > view.width) continue;
    const top = HEAD.faultsTop + band.row * 15, left = Math.max(-2, from), room = Math.min(view.width + 2, to) - left;
    pen.fillStyle = colours.fault;
    pen.globalAlpha = .14;
    pen.fillRect(left, top, Math.max(3, room), 13);
    pen.globalAlpha = .6;
    pen.fillStyle = pattern;
    pen.fillRect(left, top, Math.max(3, room), 13);
    pen.globalAlpha = 1;
    pen.font = "600 10px system-ui, sans-serif";
    pen.textAlign = "left";
    pen.fillStyle = colours.fault;
    const words = fitted(pen, band.words, room - 8);
    if (words) {
      const wide = pen.measureText(words).width;
      pen.fillStyle = colours.raised;
      pen.globalAlpha = .8;
      pen.fillRect(Math.max(left, 0) + 3, top + 1, wide + 4, 11);
      pen.globalAlpha = 1;
      pen.fillStyle = colours.fault;
      pen.fillText(words, Math.max(left, 0) + 5, top + 7);
    }
  }
}
