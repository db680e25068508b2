// What lasts: turns, and the activations of the busiest actors.
const TURNS = [];        // { event, end, lane, actor, from, to }
const ACTIVATIONS = [];  // { event, end, lane, actor, from, to, rank }
const BUSIEST = [];      // actors, by number of turns
const RANKS = 6;

function lifeEnd(lane, generation, after) {
  const life = T.lanes[lane].lives.find((life) => life.generation === generation);
  return Math.max(after, life ? life.to_ns : T.end);
}

(function findSpans() {
  const turns = new Array(T.actors.length).fill(0);
  const openTurns = new Map(), openActivations = new Map();
  for (let event = 0; event < COUNT; event++) {
    const kind = kindOf(event), lane = E.lane[event], actor = E.actor[event];
    if (lane < 0 || actor < 0) continue;
    const place = `${lane}/${E.life[event]}/${actor}`;
    if (kind === "turn") {
      turns[actor]++;
      openTurns.set(event, TURNS.length);
      TURNS.push({ event, end: -1, lane, actor, from: E.at[event], to: lifeEnd(lane, E.life[event], E.at[event]) });
    } else if (kind === "turn_end") {
      const began = E.causes[event].map((cause) => openTurns.get(cause)).find((found) => found !== undefined);
      if (began !== undefined) Object.assign(TURNS[began], { end: event, to: E.at[event] });
    } else if (kind === "activated") {
      openActivations.set(place, ACTIVATIONS.length);
      ACTIVATIONS.push({ event, end: -1, lane, actor, from: E.at[event], to: lifeEnd(lane, E.life[event], E.at[event]), rank: -1 });
    } else if (kind === "deactivated" && openActivations.has(place)) {
      Object.assign(ACTIVATIONS[openActivations.get(place)], { end: event, to: E.at[event] });
      openActivations.delete(place);
    }
  }
  // Actors that a violation is about come first: they are what one wants to see.
  const guilty = new Set(T.violations.flatMap((violation) => violation.events.map((event) => E.actor[event])).filter((actor) => actor >= 0));
  const order = turns.map((count, actor) => ({ count, actor })).filter((one) => one.count > 0 || guilty.has(one.actor))
    .sort((a, b) => guilty.has(b.actor) - guilty.has(a.actor) || b.count - a.count || a.actor - b.actor);
  order.slice(0, RANKS).forEach((one) => BUSIEST.push({ actor: one.actor, turns: one.count }));
  const rank = new Map(BUSIEST.map((one, rank) => [one.actor, rank]));
  for (const span of ACTIVATIONS) span.rank = rank.get(span.actor) ?? -1;
})();
const rankColour = (rank) => colours[`actor-${rank + 1}`];
