// The verdict: every violation, with a way to go there and to keep only what led to it.
const verdict = document.getElementById("verdict");

function showVerdict() {
  const good = T.violations.length === 0;
  const badge = document.getElementById("badge");
  badge.className = good ? "good" : "bad";
  badge.textContent = good ? "every promise held" : `${T.violations.length} violation${T.violations.length > 1 ? "s" : ""}`;
  const item = (violation, at) => make("button", { class: "violation", "aria-pressed": "false", "data-violation": at, onclick: () => goToViolation(at) },
    make("b", {}, violation.checker), make("time", {}, seconds(violation.at)), make("span", {}, violation.message));
  verdict.replaceChildren(
    make("h2", {}, "verdict"),
    ...(good ? [make("p", {}, "Every checker read the history, and every promise held.")] : T.violations.slice(0, 50).map(item)),
    ...(T.violations.length > 50 ? [make("p", { class: "quiet" }, `and ${T.violations.length - 50} more`)] : []),
    ...(T.curve ? [curveWords()] : []),
    make("h4", {}, "tell it again"),
    make("code", { class: "command" }, `quark sim replay ${T.story} --seed ${T.seed}`),
    ...planParts(),
  );
}

function curveWords() {
  const percent = (ppm) => `${Math.round(ppm / 1e4)} %`, jump = T.curve.jump;
  if (!jump) return make("p", { class: "quiet" }, "No moment decided it: the causality curve does not jump.");
  return make("p", {}, "It was decided within ", link(lengthWords(jump.to_ns - jump.from_ns), () => {
    const around = (jump.to_ns - jump.from_ns) * 3;
    travel(jump.from_ns - around, jump.to_ns + around, draw);
  }), ` before ${seconds(jump.to_ns)}: until then ${percent(jump.failed_ppm[0])} of all futures failed, from then on ${percent(jump.failed_ppm[1])}.`);
}

function planParts() {
  if (!T.plan) return [];
  const lines = [...T.plan.plan.events.map(planLine), ...(T.plan.others ?? [])];
  const faults = T.plan.plan.events.length + (T.plan.others ?? []).filter((line) => line.startsWith("fault")).length;
  return [
    make("h4", {}, `the smallest plan that still fails: ${faults} fault${faults === 1 ? "" : "s"}`),
    make("code", { class: "command", id: "replay-case" }, T.plan.replay),
    make("pre", { class: "plan", id: "plan" }, lines.join("\n")),
  ];
}

// One fault of a plan: when, for how long, what.
function planLine({ at_us, for_us, fault: { kind, ...rest } }) {
  const lasts = for_us === undefined ? "" : ` for ${lengthWords(for_us * 1000)}`;
  return `${lengthWords(at_us * 1000)}: ${kind}${lasts}${Object.keys(rest).length ? ` ${JSON.stringify(rest)}` : ""}`;
}

// Shows where it was seen, with the nearest of what led there in sight.
function goToViolation(at) {
  const violation = T.violations[at];
  filter.violation = at;
  if (filter.slice) filter.slice = sliceTo(violation.events);
  for (const button of verdict.querySelectorAll(".violation")) button.setAttribute("aria-pressed", String(+button.dataset.violation === at));
  const event = violation.events.at(-1) ?? -1;
  const from = Math.min(violation.at - 5e8, ...violation.events.map((event) => E.at[event] - 2e8));
  update();
  travel(from, violation.at + 3e8, draw);
  if (event >= 0) choose(event, false); else { chosen.event = -1; draw(); }
  detail.prepend(make("div", { id: "said" }, make("h2", {}, `${violation.checker} violated`), make("h3", {}, violation.message),
    make("p", { class: "quiet" }, `seen at ${seconds(violation.at)}, in what ${placeOf(Math.max(0, event))} did:`)));
  // On a small screen, and in a long run, the lane may be out of sight.
  if (event >= 0 && E.lane[event] >= 0) document.getElementById("scroll").scrollTo({ top: ROWS[E.lane[event]].top - 80 });
}
