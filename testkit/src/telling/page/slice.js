// What led to an event: only what has a way of causes to it. Parents are stored, so this is one walk.
function sliceTo(events) {
  const found = new Set(events), open = [...events];
  while (open.length) for (const cause of E.causes[open.pop()]) if (!found.has(cause)) { found.add(cause); open.push(cause); }
  // What was done to a node on which any of it happened led there by what did not happen.
  const last = Math.max(-1, ...events);
  const names = new Set();
  for (const event of found) if (E.lane[event] >= 0) names.add(T.lanes[E.lane[event]].name);
  for (const band of T.faults) {
    if (!band.groups.some((group) => group.some((name) => names.has(name)))) continue;
    for (const event of [band.event, band.end_event]) if (event !== null && event <= last) found.add(event);
  }
  return found;
}
