// Messages, as lines from lane to lane. Beyond a number that eyes can follow only some of them are drawn, and it is said.
const ARROWS_MAX = 2000;
let arrows = { drawn: 0, visible: 0 };

function isVisible(frame) {
  return shownFrames[frame] && F.to[frame] >= 0 && E.at[F.sent[frame]] <= view.to && endOfFrame(frame) >= view.from;
}

// Those that are drawn: all that were dropped, and every so many of the rest.
function chooseArrows() {
  const visible = [];
  for (let frame = 0; frame < shownFrames.length; frame++) if (isVisible(frame)) visible.push(frame);
  const every = Math.ceil(visible.length / ARROWS_MAX);
  const drawn = every <= 1 ? visible : visible.filter((frame, at) => at % every === 0 || isDropped(frame));
  arrows = { drawn: drawn.length, visible: visible.length, list: drawn };
}

function drawMessages(pen) {
  chooseArrows();
  const isDense = arrows.drawn > 500;
  // The more there are, the thinner each.
  const thin = Math.max(.07, Math.min(.8, 120 / arrows.drawn));
  pen.lineWidth = 1;
  for (const frame of arrows.list) {
    const x1 = xOf(E.at[F.sent[frame]]), x2 = xOf(endOfFrame(frame)), y1 = barOf(F.from[frame]), y2 = barOf(F.to[frame]);
    const dropped = isDropped(frame);
    pen.strokeStyle = pen.fillStyle = dropped ? colours.bad : colours[isControl(frame) ? "control" : "message"];
    pen.globalAlpha = dropped ? .8 : thin;
    // A dropped one gets half the way.
    const [tx, ty] = dropped ? [(x1 + x2) / 2, (y1 + y2) / 2] : [x2, y2];
    pen.beginPath(); pen.moveTo(x1, y1); pen.lineTo(tx, ty); pen.stroke();
    if (dropped) {
      pen.beginPath(); pen.moveTo(tx - 3, ty - 3); pen.lineTo(tx + 3, ty + 3); pen.moveTo(tx + 3, ty - 3); pen.lineTo(tx - 3, ty + 3); pen.stroke();
    } else if (!isDense) {
      drawHeadOfArrow(pen, x1, y1, x2, y2);
    }
  }
  pen.globalAlpha = 1;
}

function drawHeadOfArrow(pen, x1, y1, x2, y2) {
  const length = Math.hypot(x2 - x1, y2 - y1) || 1, ux = (x2 - x1) / length, uy = (y2 - y1) / length;
  pen.beginPath();
  pen.moveTo(x2, y2);
  pen.lineTo(x2 - ux * 6 - uy * 2.6, y2 - uy * 6 + ux * 2.6);
  pen.lineTo(x2 - ux * 6 + uy * 2.6, y2 - uy * 6 - ux * 2.6);
  pen.fill();
}
