// Two strips under each silo: how far its wall clock is off, and how much waits there.
const STRIPS = T.lanes.map((lane, at) => {
  const samples = T.samples.lanes[at];
  if (!lane.is_silo || !samples || !samples.up.length) return null;
  const offsets = samples.wall_offset_ns, first = samples.up.findIndex(Boolean);
  const queue = samples.pending.map((pending, n) => pending + samples.waiting[n] + samples.inbound[n]);
  const known = offsets.slice(Math.max(0, first));
  return { offsets, queue, first: Math.max(0, first), low: Math.min(0, ...known), high: Math.max(0, ...known), most: Math.max(1, ...queue) };
});

// The first sample at or after a time.
function sampleAt(time) {
  const at = T.samples.at_ns;
  let low = 0, high = at.length;
  while (low < high) { const middle = (low + high) >> 1; if (at[middle] < time) low = middle + 1; else high = middle; }
  return Math.min(low, at.length - 1);
}

function drawStrips(pen) {
  if (!PART.clock) return;
  const at = T.samples.at_ns, first = Math.max(0, sampleAt(view.from) - 1), end = Math.min(at.length, sampleAt(view.to) + 2);
  STRIPS.forEach((strip, lane) => {
    if (!strip) return;
    const row = ROWS[lane], span = Math.max(1, strip.high - strip.low);
    const clockY = (offset) => row.top + PART.clock + PART.strip - (offset - strip.low) / span * PART.strip;
    pen.fillStyle = colours.line;
    pen.fillRect(0, clockY(0), view.width, .75);
    pen.strokeStyle = colours.clock;
    pen.lineWidth = 1.3;
    pen.beginPath();
    for (let n = Math.max(first, strip.first); n < end; n++) {
      const x = xOf(at[n]), y = clockY(strip.offsets[n]);
      if (n === Math.max(first, strip.first)) pen.moveTo(x, y); else pen.lineTo(x, y);
    }
    pen.stroke();
    const base = row.top + PART.queue + PART.strip;
    pen.fillStyle = colours.queue;
    pen.globalAlpha = .55;
    for (let n = first; n < end; n++) {
      if (!strip.queue[n]) continue;
      const x = xOf(at[n]), next = n + 1 < at.length ? xOf(at[n + 1]) : view.width, size = Math.max(1, strip.queue[n] / strip.most * PART.strip);
      pen.fillRect(x, base - size, Math.max(1, next - x - .5), size);
    }
    pen.globalAlpha = 1;
  });
}
