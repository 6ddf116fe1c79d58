// The curve of a day: what was rated, online and busy, point by point as the API gives them. Where nothing is known the line is broken.

import { draw, make } from "./dom.js";
import { write } from "./format.js";
import { t } from "./words.js";

const height = 220;
const edge = { left: 52, right: 12, top: 12, bottom: 28 };
const lines = ["rated", "online", "busy"];

// chart draws an answer of /v1/history into an element.
export function chart(into, { points, step_s: step, to }) {
  if (points.length === 0) {
    into.replaceChildren(make("p", { class: "none" }, t("kept_none")));
    return;
  }
  const width = Math.max(280, into.clientWidth);
  const end = Date.parse(to);
  const begin = Math.min(Date.parse(points[0].at), end - 60_000);
  const top = ceiling(Math.max(...points.map((p) => p.eflops.rated)));
  const x = (at) => edge.left + ((Date.parse(at) - begin) / (end - begin)) * (width - edge.left - edge.right);
  const y = (v) => height - edge.bottom - (v / top) * (height - edge.top - edge.bottom);

  const online = points.map((p) => p.eflops.online);
  const last = points.at(-1);
  const picture = draw("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": t("chart", {
    from: write(points[0].at, "moment"), to: write(to, "moment"), rated: write(last.eflops.rated, "eflops"), online: write(last.eflops.online, "eflops"),
    busy: write(last.eflops.busy, "eflops"), least: write(Math.min(...online), "eflops"), most: write(Math.max(...online), "eflops"),
  }) });
  for (const v of [0, top / 2, top]) {
    picture.append(draw("line", { class: "grid", x1: edge.left, x2: width - edge.right, y1: y(v), y2: y(v) }));
    picture.append(draw("text", { x: edge.left - 8, y: y(v) + 4, "text-anchor": "end" }, write(v, "round")));
  }
  const ticks = width < 360 ? 2 : width < 500 ? 3 : 6;
  const hour = end - begin < 900_000 ? "time" : "hour";
  for (let i = 0; i <= ticks; i++) {
    const at = new Date(begin + ((end - begin) * i) / ticks).toISOString();
    picture.append(draw("text", { x: x(at), y: height - 8, "text-anchor": ["start", "middle", "end"][i === 0 ? 0 : i === ticks ? 2 : 1] }, write(at, hour)));
  }
  const parts = runs(points, step);
  for (const run of parts) {
    const path = (line) => run.map((p, i) => `${i ? "L" : "M"}${x(p.at).toFixed(1)} ${y(p.eflops[line]).toFixed(1)}`).join("") + (run.length === 1 ? "h0" : "");
    picture.append(draw("path", { class: "area", d: `${path("busy")}L${x(run.at(-1).at).toFixed(1)} ${y(0)}L${x(run[0].at).toFixed(1)} ${y(0)}Z` }));
    for (const line of lines) picture.append(draw("path", { class: `curve ${line}`, d: path(line) }));
  }
  const key = make("p", { class: "key", "aria-hidden": "true" }, ...lines.map((line) => make("span", { class: line }, t(line))));
  into.replaceChildren(key, picture);
}

// runs are the points that follow each other without a gap.
function runs(points, step) {
  const out = [];
  let before = -Infinity;
  for (const p of points) {
    const at = Date.parse(p.at);
    if (at - before > step * 2500) out.push([]);
    out.at(-1).push(p);
    before = at;
  }
  return out;
}

// ceiling is a round number that is not below n.
function ceiling(n) {
  if (!(n > 0)) return 1;
  const size = 10 ** Math.floor(Math.log10(n));
  return [1, 1.2, 1.6, 2, 3, 4, 5, 6, 8, 10].map((f) => f * size).find((c) => c >= n);
}

// table is the same in figures, newest first.
export function table({ points }) {
  const head = ["at", ...lines];
  return make("table", {},
    make("caption", { class: "unseen" }, t("history")),
    make("thead", {}, make("tr", {}, ...head.map((key) => make("th", { scope: "col", class: "num" }, t(key))))),
    make("tbody", {}, ...[...points].reverse().map((p) => make("tr", {},
      make("th", { scope: "row", class: "num" }, write(p.at, "moment")),
      ...lines.map((line) => make("td", { class: "num" }, make("data", { value: p.eflops[line] }, write(p.eflops[line], "eflops"))))))));
}
