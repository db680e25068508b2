// Puts it together.
const tip = document.getElementById("tip");

function choose(event, brings) {
  chosen.event = event;
  showEvent(event);
  const margin = (view.to - view.from) * .05;
  if (brings && (E.at[event] < view.from + margin || E.at[event] > view.to - margin)) {
    const half = (view.to - view.from) / 2;
    return travel(E.at[event] - half, E.at[event] + half, draw);
  }
  draw();
}

function chooseWhat(what) {
  if (what?.event >= 0) return choose(what.event, false);
  if (what?.violation >= 0) return goToViolation(what.violation);
  chosen.event = -1;
  if (what?.step) showStep(what.step);
  else if (what?.point) showPoint(what.point);
  else if (what?.lane >= 0) showLane(what.lane, what.time);
  else showLegend();
  draw();
}

function tipWords(what) {
  if (what?.event >= 0) return `${seconds(E.at[what.event])}  ${placeOf(what.event)}: ${textOf(what.event)}`;
  if (what?.violation >= 0) return `${T.violations[what.violation].checker}: ${T.violations[what.violation].message}`;
  if (what?.step) return `${seconds(what.step.at)}  ${what.step.part} ${what.step.text}`;
  if (what?.point) return `${seconds(what.point.at_ns)}: ${what.point.failed} of ${what.point.futures} futures fail`;
  return "";
}

function hover(what, event) {
  const words = event ? tipWords(what) : "";
  tip.hidden = !words;
  if (!words) return;
  tip.textContent = words;
  const stage = document.getElementById("stage").getBoundingClientRect(), x = event.clientX - stage.left + 12, y = event.clientY - stage.top + 14;
  tip.style.left = `${Math.max(4, Math.min(x, stage.width - tip.offsetWidth - 8))}px`;
  tip.style.top = `${y + tip.offsetHeight > stage.height ? y - tip.offsetHeight - 26 : y}px`;
}

function showLabels() {
  const offset = (lane) => { const strip = STRIPS[lane]; return lengthWords(Math.abs(strip.low) > strip.high ? strip.low : strip.high); };
  document.getElementById("labels").replaceChildren(...ROWS.map((row) => {
    const lane = T.lanes[row.lane], strip = STRIPS[row.lane], isTall = PART.clock && row.isSilo && strip;
    return make("div", {
      class: `lane ${lane.is_silo ? "silo" : "client"}`, "data-lane": lane.name, style: `top:${row.top}px;height:${row.size}px`,
    }, make("b", {}, lane.name),
    isTall ? make("span", { class: "strip", style: `top:${PART.turns - 8}px` }, "turns") : null,
    isTall ? make("span", { class: "strip", style: `top:${PART.spans + 4}px` }, "activations") : null,
    isTall ? make("span", { class: "strip", style: `top:${PART.clock - 4}px` }, `clock ${offset(row.lane)}`) : null,
    isTall ? make("span", { class: "strip", style: `top:${PART.queue - 3}px` }, `queue \u2264 ${strip.most}`) : null);
  }));
  document.getElementById("labels").style.height = `${height.lanes}px`;
  const heads = [["whole run", HEAD.overviewTop + 8], ["true time", HEAD.axisTop + 5], ["story", HEAD.stepsTop + 3]];
  if (HEAD.curve) heads.push(["chance to fail", HEAD.curveTop + 22]);
  if (HEAD.faults) heads.push(["faults", HEAD.faultsTop + 1]);
  document.getElementById("head-labels").replaceChildren(...heads.map(([text, top]) => make("span", { class: "head-label", style: `top:${top}px` }, text)));
}

let waits = false;
function draw() {
  if (waits) return;
  waits = true;
  requestAnimationFrame(() => {
    waits = false;
    drawHead();
    drawLanes();
    showStatus();
  });
}

function showStatus() {
  const number = (n) => n.toLocaleString("en");
  const sampled = arrows.drawn < arrows.visible ? `, and ${number(arrows.drawn)} of ${number(arrows.visible)} messages in view: zoom in for all` : "";
  const missing = T.missing ? `; ${number(T.missing)} events are missing` : "";
  document.getElementById("status").textContent = `${number(counts.events)} of ${number(COUNT)} events${sampled}${missing}`;
  Object.assign(document.body.dataset, {
    events: counts.events, messages: counts.frames, arrows: arrows.drawn, visible: arrows.visible, slice: filter.slice ? "on" : "off", ready: "yes",
  });
}

function update() {
  applyFilters();
  showFilters();
  draw();
}

function fitWidth() {
  view.width = Math.max(200, document.getElementById("scroll").clientWidth - document.getElementById("labels").offsetWidth);
  axisCanvas.style.flex = lanesCanvas.style.flex = `0 0 ${view.width}px`;
  draw();
}

document.getElementById("title").append(T.story, " ", make("small", {}, `seed ${T.seed}`));
document.getElementById("facts").textContent =
  `${lengthWords(T.end)} of simulated time, trace ${T.trace} over ${T.traced.toLocaleString("en")} events, engine ${T.engine}`;
document.getElementById("premise").textContent = T.premise;
wireFilters();
wireButtons();
wireKeys();
wirePointer(lanesCanvas, pickLanes, false);
wirePointer(axisCanvas, pickHead, true);
showVerdict();
showLegend();
showLabels();
look(WHOLE.from, WHOLE.to);
applyFilters();
showFilters();
fitWidth();
new ResizeObserver(fitWidth).observe(document.getElementById("scroll"));
