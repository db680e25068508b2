// The filters and the keys.
const input = (id) => document.getElementById(id);

function showFilters() {
  const chips = input("chips");
  chips.replaceChildren(...GROUPS.map((group, at) => make("button", {
    class: "chip", "data-group": group.name, "aria-pressed": String(filter.groups[at]), style: `--dot:${colours[group.colour]}`,
    onclick: () => { filter.groups[at] = !filter.groups[at]; update(); },
  }, group.name, make("b", {}, counts.groups[at].toLocaleString("en")))));
  const slice = input("slice"), violation = T.violations[filter.violation];
  slice.hidden = !violation;
  slice.setAttribute("aria-pressed", String(filter.slice !== null));
  slice.textContent = violation ? `only what led to ${violation.checker}` : "";
  input("actor").classList.toggle("set", filter.actor >= 0);
  input("call").classList.toggle("set", filter.call !== "");
  input("reset").hidden = filter.actor < 0 && !filter.call && !filter.slice;
}

function setActor(name) {
  input("actor").value = name;
  filter.actor = T.actors.indexOf(name);
  update();
}

function setCall(call) {
  input("call").value = call;
  filter.call = call;
  update();
}

function toggleSlice() {
  filter.slice = filter.slice ? null : sliceTo(T.violations[filter.violation].events);
  update();
}

function wireFilters() {
  input("actors").replaceChildren(...T.actors.map((name) => make("option", { value: name })));
  input("actor").addEventListener("input", () => { filter.actor = T.actors.indexOf(input("actor").value.trim()); update(); });
  input("call").addEventListener("input", () => { filter.call = input("call").value.trim(); update(); });
  input("slice").addEventListener("click", toggleSlice);
  input("reset").addEventListener("click", () => { filter.slice = null; filter.call = input("call").value = ""; setActor(""); });
}

// What is chosen stays in sight when one zooms without a pointer.
function focus() {
  const time = chosen.event >= 0 ? E.at[chosen.event] : -1;
  return time >= view.from && time <= view.to ? time : undefined;
}

function wireButtons() {
  input("zoom-in").addEventListener("click", () => { zoom(.5, focus()); draw(); });
  input("zoom-out").addEventListener("click", () => { zoom(2, focus()); draw(); });
  input("fit").addEventListener("click", () => travel(WHOLE.from, WHOLE.to, draw));
  input("help-button").addEventListener("click", () => input("help").showModal());
  input("theme").addEventListener("click", () => {
    setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark");
    if (chosen.event < 0) showLegend();
    update();
  });
  prefersDark.addEventListener("change", () => { setTheme(prefersDark.matches ? "dark" : "light"); update(); });
}

const KEYS = {
  "+": () => zoom(.6, focus()), "=": () => zoom(.6, focus()), "-": () => zoom(1.6, focus()), "0": () => look(WHOLE.from, WHOLE.to),
  ArrowLeft: () => pan(-.15), ArrowRight: () => pan(.15),
  c: () => { const cause = chosen.event >= 0 && E.causes[chosen.event][0]; if (cause >= 0 && cause !== false) choose(cause, true); },
  e: () => { const effect = chosen.event >= 0 && EFFECTS[chosen.event][0]; if (effect >= 0 && effect !== false) choose(effect, true); },
  Escape: () => { chosen.event = -1; showLegend(); },
  "?": () => input("help").showModal(),
};

function wireKeys() {
  document.addEventListener("keydown", (event) => {
    if (event.target.tagName === "INPUT" || event.ctrlKey || event.metaKey || event.altKey || input("help").open) return;
    const act = KEYS[event.key];
    if (!act) return;
    event.preventDefault();
    act();
    draw();
  });
}

// Drag moves, the wheel zooms where the pointer is; over lanes that do not fit it scrolls, and zooms with Ctrl.
function wirePointer(canvas, pick, isHead) {
  let drag = null;
  const place = (event) => { const box = canvas.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
  canvas.addEventListener("pointerdown", (event) => {
    const [x, y] = place(event);
    drag = { x, y, from: view.from, to: view.to, moved: false, overview: isHead && y < HEAD.overview };
    canvas.setPointerCapture(event.pointerId);
    if (drag.overview) centre(x);
  });
  const centre = (x) => { const span = view.to - view.from, middle = x / view.width * WHOLE.to; look(middle - span / 2, middle + span / 2); draw(); };
  canvas.addEventListener("pointermove", (event) => {
    const [x, y] = place(event);
    if (!drag) return hover(pick(x, y), event);
    if (drag.overview) return centre(x);
    if (Math.abs(x - drag.x) > 3) drag.moved = true;
    if (!drag.moved) return;
    canvas.classList.add("grabbing");
    const shift = (drag.x - x) / view.width * (drag.to - drag.from);
    look(drag.from + shift, drag.to + shift);
    draw();
  });
  canvas.addEventListener("pointerup", (event) => {
    canvas.classList.remove("grabbing");
    if (drag && !drag.moved && !drag.overview) chooseWhat(pick(...place(event)));
    drag = null;
  });
  canvas.addEventListener("pointerleave", () => hover(null));
  canvas.addEventListener("wheel", (event) => {
    const scroll = input("scroll"), fits = scroll.scrollHeight <= scroll.clientHeight + 1;
    const isSideways = Math.abs(event.deltaX) > Math.abs(event.deltaY) || event.shiftKey;
    if (!isHead && !fits && !event.ctrlKey && !isSideways) return;
    event.preventDefault();
    if (isSideways) pan((event.deltaX || event.deltaY) / view.width);
    else zoom(1.0015 ** event.deltaY, timeOf(place(event)[0]));
    draw();
  }, { passive: false });
}
