// The five lists: centres, pools, models, vendors, faults.

import { bar, make, say } from "./dom.js";
import { write } from "./format.js";
import { Table } from "./table.js";
import { t } from "./words.js";

const states = ["busy", "free", "drained", "faulty", "stale"];

// nameOf is a centre's name in a language, or its id where it has none.
export function nameOf(centre, language) {
  return centre.name?.[language] || centre.name?.[language === "zh" ? "en" : "zh"] || centre.id;
}

// isSilent says that a centre has hosts and none of them reports.
export function isSilent(figure) {
  return Boolean(figure) && figure.hosts.rated > 0 && figure.hosts.online === 0;
}

// title fills a cell with a name, what tells it apart and marks.
function title(cell, name, detail, marks = []) {
  if (!cell.firstChild) cell.append(make("span", { class: "name" }), make("small"), make("span", { class: "marks" }));
  const [first, small, place] = cell.children;
  say(first, name);
  say(small, detail);
  const text = marks.map(([, key]) => t(key)).join();
  if (place.dataset.text === text) return;
  place.dataset.text = text;
  place.replaceChildren(...marks.map(([level, key]) => make("span", { class: `mark-${level}` }, t(key))));
}

const eflops = (state) => ({ head: state, as: "eflops", value: (r) => priced(r) ? r.figure.eflops[state] : undefined });
// priced says that a figure in Eflops is known: of devices of which none has a price it is not.
const priced = (r) => Boolean(r.figure) && (r.figure.devices.rated === 0 || r.figure.devices.unpriced < r.figure.devices.rated);
const devices = { head: "devices", as: "count", value: (r) => r.figure?.devices.rated };
const freeDevices = { head: "free_devices", as: "count", value: (r) => r.figure?.devices.free };
const utilisation = { head: "utilisation", as: "share", value: (r) => r.figure?.utilisation };
const coverage = { head: "coverage", as: "share", value: (r) => r.figure?.coverage };
const power = { head: "power", as: "power", value: (r) => r.figure && r.figure.power_devices > 0 ? r.figure.power_w : undefined };
const bars = {
  head: "states", kind: "bars", value: (r) => r.figure?.devices.online,
  fill(cell, r) {
    if (!cell.firstChild) cell.append(make("div", { class: "bar" }));
    bar(cell.firstChild, states.map((s) => [s, r.figure?.devices[s]]));
  },
};
const unpricedMark = (r) => (r.figure?.devices.unpriced > 0 ? [["warn", priced(r) ? "partly_unpriced" : "unpriced"]] : []);

function statusMarks(r) {
  const marks = [];
  if (isSilent(r.figure)) marks.push(["bad", "silent"]);
  if (!r.figure) marks.push(["note", "no_device"]);
  if (r.registered === false) marks.push(["warn", "unregistered"]);
  return [...marks, ...unpricedMark(r)];
}

function declared(cell, r) {
  const d = r.observed?.declared;
  say(cell, d ? t("declared_is", {
    share: write(d.rated_share, "share"), eflops: `${write(d.eflops, "round")} Eflops`, date: d.date.replaceAll("-", "\u2011"), // never broken there
    precision: !d.precision || d.precision === "class" ? t("by_class") : d.precision.toUpperCase(),
  }) : t("declared_none"));
  cell.classList.toggle("unknown", !d);
}

// lists makes the tables in their sections.
export function lists() {
  const section = (id) => document.getElementById(id);
  const centre = { head: "centre", value: (r) => r.name, fill: (cell, r) => title(cell, r.name, [r.id, t(r.status ?? "operating")].join(" · "), statusMarks(r)) };
  const rated = eflops("rated");
  const reason = { head: "reason", value: (r) => r.device.reason, fill: (cell, r) => say(cell, write(r.device.reason, "text")) };
  const text = (head, value) => ({ head, value, fill: (cell, r) => say(cell, write(value(r), "text")) });
  return {
    centres: new Table(section("centres"), {
      name: "centres", keyOf: (r) => r.id, sort: centre, text: (r) => [r.id, r.name, r.name2, t(r.status ?? "operating"), r.identifier].join(" "),
      columns: [centre, eflops("online"), eflops("free"), eflops("rated"), bars, utilisation, coverage, power,
        { head: "declared", value: (r) => r.observed?.declared?.rated_share, fill: declared }],
    }),
    pools: new Table(section("pools"), {
      name: "pools", sort: rated, descending: true, keyOf: (r) => r.key, text: (r) => [r.figure.model, r.title, r.figure.vendor, r.figure.cluster, r.figure.centre, r.centre].join(" "),
      columns: [
        { head: "model", value: (r) => r.title, fill: (cell, r) => title(cell, r.title, r.figure.vendor, unpricedMark(r)) },
        text("centre", (r) => r.centre), text("cluster", (r) => r.figure.cluster), freeDevices, devices, eflops("free"), rated, bars, utilisation,
        { head: "peak", as: "tflops", value: (r) => r.figure.peak_tflops.fp16 }, { head: "memory", as: "count", value: (r) => r.figure.memory_gib }],
    }),
    models: new Table(section("models"), {
      name: "models", sort: rated, descending: true, keyOf: (r) => r.key, text: (r) => [r.title, r.figure.model, r.figure.vendor].join(" "),
      columns: [{ head: "model", value: (r) => r.title, fill: (cell, r) => title(cell, r.title, r.figure.model === r.title ? "" : r.figure.model, unpricedMark(r)) },
        freeDevices, devices, eflops("free"), eflops("online"), rated, bars, utilisation, power],
    }),
    vendors: new Table(section("vendors"), {
      name: "vendors", sort: rated, descending: true, keyOf: (r) => r.key, text: (r) => r.figure.vendor,
      columns: [{ head: "vendor", value: (r) => r.figure.vendor, fill: (cell, r) => title(cell, write(r.figure.vendor, "text"), "", unpricedMark(r)) },
        freeDevices, devices, eflops("free"), eflops("online"), rated, bars, utilisation, power],
    }),
    faults: new Table(section("faults"), {
      name: "faults", sort: reason, keyOf: (r) => r.key,
      text: (r) => [r.device.reason, r.host.name, r.host.host, r.centre, r.host.centre, r.host.cluster, r.title, r.device.model, r.device.id].join(" "),
      columns: [reason, { head: "host", value: (r) => r.host.name, fill: (cell, r) => title(cell, r.host.name || r.host.host, "") },
        text("centre", (r) => r.centre), text("cluster", (r) => r.host.cluster), { head: "model", value: (r) => r.title, fill: (cell, r) => title(cell, r.title, "") },
        { head: "device", value: (r) => r.device.id, fill: (cell, r) => title(cell, "", r.device.id) }],
    }),
  };
}
