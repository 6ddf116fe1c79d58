// The page: what it has read, when it reads, and what it shows. See docs/console.md.

import { get, identify, pages } from "./api.js";
import { chart, table } from "./chart.js";
import { bar, figure, list, make, say } from "./dom.js";
import { flagsOf, why } from "./flags.js";
import { as, at, fit, quotient, speak, unknown, write } from "./format.js";
import { isSilent, lists, nameOf } from "./lists.js";
import { prefer, preferred } from "./preferences.js";
import { follow } from "./stream.js";
import { sentence, t, use } from "./words.js";

const $ = (id) => document.getElementById(id);
const quietAfter = 15_000; // the stream has an event every five seconds while records come

// answers are the API's, by name: capacity from the stream, the others as they were asked for last.
const answers = {};
const troubles = {}; // why an answer could not be had
const link = { state: "waiting", problem: undefined, since: undefined, heard: 0, ahead: 0 };

const tables = lists();
let language = preferred("lang", ["en", "zh"]) ?? (navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en");

// Asking. What the stream does not tell is asked for in turn while the page is live.

const questions = {
  centres: { every: 2_000, ask: () => get("v1/centres") },
  classes: { every: 10_000, ask: () => get("v1/capacity?by=class&kind=all") },
  vendors: { every: 10_000, ask: () => get("v1/capacity?by=vendor") },
  models: { every: 10_000, ask: () => get("v1/capacity?by=vendor,model") },
  pools: { every: 10_000, ask: () => pages("v1/pools?limit=1000", "pools") },
  faults: { every: 20_000, ask: () => get("v1/hosts?state=faulty&limit=200") },
  explain: { every: 60_000, ask: () => get("v1/explain") },
  history: { every: 60_000, ask: day },
};

// day is the last day by five minutes, or by ten seconds while there is less than an hour of it.
async function day() {
  const answer = await get("v1/history?step=5m");
  return answer.points.length > 12 ? answer : get("v1/history?step=10s");
}

async function askFor(name) {
  const question = questions[name];
  if (question.asking || document.hidden || (link.state !== "live" && link.state !== "quiet")) return;
  question.asking = true;
  question.at = performance.now();
  try {
    answers[name] = await question.ask();
    delete troubles[name];
  } catch (problem) {
    troubles[name] = problem;
    askForToken(problem);
  }
  question.asking = false;
  render();
}

function askDue() {
  for (const [name, question] of Object.entries(questions)) {
    if (!(performance.now() - question.at < question.every)) askFor(name);
  }
}

// Following.

const hurry = follow("v1/stream?by=centre", (g) => g.centre, {
  heard(date) {
    link.ahead = date ? Date.parse(date) - Date.now() : 0;
  },
  live(document, cut) {
    // Cut off from its log the collector takes every device for silent, as it knows of none: what was known last says more.
    if (cut) {
      this.lost({ cut: true });
      return;
    }
    const came = link.state !== "live";
    answers.capacity = document;
    fit(document.total.eflops.rated);
    Object.assign(link, { problem: undefined, heard: performance.now() });
    become("live");
    if (came) for (const question of Object.values(questions)) question.at = undefined;
    askDue();
  },
  lost(problem) {
    link.problem = problem;
    askForToken(problem);
    become(answers.capacity ? "lost" : "waiting");
  },
});

// askForToken lets somebody show one where the collector wants it.
function askForToken(problem) {
  if (problem?.status === 401) $("entry").hidden = false;
}

$("entry").addEventListener("submit", (event) => {
  event.preventDefault();
  const { token } = event.target.elements;
  identify(token.value);
  token.value = "";
  $("entry").hidden = true;
  for (const question of Object.values(questions)) question.at = undefined;
  hurry();
});

// become changes what the link is, and tells those who cannot see it.
function become(state) {
  if (state !== link.state) {
    link.since = new Date().toISOString();
    if (link.state !== "waiting" || state !== "live") announce(t(`became_${state}`));
    link.state = state;
  }
  render();
}

let saying;
function announce(text, after = 0) {
  clearTimeout(saying);
  saying = setTimeout(() => say($("announcer"), text), after);
}

// Showing. Everything is shown from the answers, at most once a frame.

let drawn = false;
function render() {
  if (drawn) return;
  drawn = true;
  requestAnimationFrame(() => {
    drawn = false;
    show();
  });
}

function show() {
  document.body.dataset.link = link.state;
  showLink();
  for (const element of document.querySelectorAll("data[data-figure]")) {
    const { figure: place, as: how, of } = element.dataset;
    const value = at(answers, place);
    if (how === "ratio") figure(element, write(quotient(value, at(answers, of)), "share"), quotient(value, at(answers, of)));
    else figure(element, write(value, how), value);
  }
  for (const element of document.querySelectorAll("[data-bar]")) {
    const values = at(answers, element.dataset.bar);
    bar(element, element.dataset.parts.split(" ").map((name) => [name, values?.[name]]));
  }
  for (const element of document.querySelectorAll("[data-gauge]")) {
    const value = at(answers, element.dataset.gauge);
    bar(element, [["busy", value], ["rest", Number.isFinite(value) ? 1 - value : 1]]);
  }
  for (const section of document.querySelectorAll("[data-answer]")) {
    section.dataset.revision = answers[section.dataset.answer]?.revision ?? "";
    showTrouble(section, troubles[section.dataset.answer]);
  }
  $("plan").hidden = !answers.centres?.province.observed.target;
  showPower();
  showLines();
  showLists();
  showHistory();
}

function showLink() {
  const since = { time: write(link.since, "time") };
  const asOf = { time: write(answers.capacity?.as_of, "time") };
  const problem = link.state === "live" || link.state === "quiet" ? undefined : link.problem;
  say($("link"), t(link.state, since));
  say($("age"), { live: t("as_of_time", asOf), quiet: t("last_known", asOf), lost: t("last_known", asOf), waiting: t("waiting_why", { why: why(problem) }) }[link.state]);
  const centres = centreRows();
  const behind = answers.capacity && link.state === "live" ? (Date.now() + link.ahead - Date.parse(answers.capacity.as_of)) / 1000 : 0;
  const flags = flagsOf({
    capacity: answers.capacity, behind, founded: answers.explain?.founded ?? [], problem: answers.capacity ? problem : undefined, silent: centres.filter((c) => isSilent(c.figure)).map((c) => c.name),
  });
  list($("flags"), flags, (f) => f.key, () => make("li"), (item, f) => {
    item.className = f.level;
    say(item, f.text);
  });
  $("flags").hidden = flags.length === 0;
  const name = answers.centres?.province.name;
  say($("province"), name?.[language] || name?.zh || name?.en || "Exameter");
  document.title = answers.capacity ? `${link.state === "live" ? "" : "○ "}${$("number").textContent} Eflops · ${$("province").textContent}` : "Exameter";
}

// showPower hides a sum of nothing, and says what is online per watt. Where the power of some is unknown it is at most that, where the peak of
// some is, at least; where both are, about.
function showPower() {
  const total = answers.capacity?.total;
  if (total?.power_devices === 0) figure($("power"), unknown.text, undefined);
  const per = quotient(total?.eflops.online * 1e6, total?.power_w);
  const bound = total && (total.power_devices < total.devices.online ? 1 : 0) + (total.devices.unpriced > 0 ? 2 : 0);
  say($("per-watt"), per === undefined ? unknown.text : t(["per_is", "per_most", "per_least", "per_about"][bound], { n: as.tflops(per) }));
}

function showTrouble(section, problem) {
  let note = section.querySelector(":scope > .trouble");
  if (problem && !note) {
    note = make("p", { class: "trouble" });
    section.querySelector("h2").after(note);
  }
  if (note) {
    note.hidden = !problem;
    say(note, problem ? t("trouble", { why: why(problem) }) : "");
  }
}

// showLines fills the lists of the cards.
function showLines() {
  const line = () => make("div", {}, make("dt"), make("dd", {}, make("data"), make("small")));
  const fill = (element, { name, value, detail }) => {
    say(element.firstChild, name);
    figure(element.lastChild.firstChild, write(value, "eflops"), value);
    say(element.lastChild.lastChild, detail);
  };
  const devices = (n) => t("devices_n", { n: write(n, "count") });
  const founded = (answers.explain?.founded ?? []).filter((f) => f.devices > 0);
  list($("founded"), founded, (f) => f.confidence, line, (element, f) => fill(element, {
    name: t(`c:${f.confidence}`), value: f.confidence === "unpriced" ? undefined : f.eflops, detail: devices(f.devices),
  }));
  list($("classes"), answers.classes?.groups ?? [], (g) => g.class, line, (element, g) => fill(element, {
    name: t(g.class), value: g.eflops.rated, detail: devices(g.devices.rated),
  }));
}

// centreRows are the centres of the registry and those that report, with the figures of the stream.
function centreRows() {
  const rows = new Map();
  for (const c of answers.centres?.centres ?? []) rows.set(c.id, { ...c, figure: c.capacity ?? undefined });
  for (const g of answers.capacity?.groups ?? []) rows.set(g.centre, { ...(rows.get(g.centre) ?? { id: g.centre }), figure: g });
  return [...rows.values()].map((r) => ({ ...r, name: nameOf(r, language), name2: nameOf(r, language === "zh" ? "en" : "zh") }));
}

// changed says whether what something is shown from is not what it was shown from last.
const shownFrom = {};
function changed(name, ...from) {
  const same = shownFrom[name]?.every((value, i) => value === from[i]);
  shownFrom[name] = from;
  return !same;
}

function showLists() {
  const centres = centreRows();
  const names = new Map(centres.map((c) => [c.id, c.name]));
  const centre = (id) => names.get(id) ?? id;
  const titles = new Map();
  for (const c of answers.explain?.centres ?? []) for (const p of c.pools) if (p.catalogue?.name) titles.set(p.model, p.catalogue.name);
  const title = (model) => titles.get(model) ?? model ?? "";
  const key = (...parts) => JSON.stringify(parts);
  tables.centres.show(centres);
  const described = [answers.explain, answers.centres, language];
  if (changed("pools", answers.pools, ...described)) tables.pools.show((answers.pools?.pools ?? []).map((p, i) => ({ figure: p, key: key(p.centre, p.cluster, p.vendor, p.model, p.class, i), centre: centre(p.centre), title: title(p.model) })));
  if (changed("models", answers.models, ...described)) tables.models.show((answers.models?.groups ?? []).map((g) => ({ figure: g, key: key(g.vendor, g.model), title: title(g.model) })));
  if (changed("vendors", answers.vendors, ...described)) tables.vendors.show((answers.vendors?.groups ?? []).map((g) => ({ figure: g, key: key(g.vendor) })));
  if (changed("faults", answers.faults, ...described)) tables.faults.show((answers.faults?.hosts ?? []).flatMap((h) => h.devices.map((d) => ({
    host: h, device: d, key: key(h.centre, h.host, d.id), centre: centre(h.centre), title: title(d.model) || d.name,
  }))));
  const { faults } = answers;
  list($("reasons"), faults?.reasons ?? [], (r) => r.reason, () => make("div", {}, make("dt"), make("dd", {}, make("data"))), (element, { reason, devices }) => {
    say(element.firstChild, reason);
    figure(element.lastChild.firstChild, write(devices, "count"), devices);
  });
  let note = "";
  if (faults?.next) note += ` ${t("faults_first", { n: write(faults.hosts.length, "count") })}`;
  if (faults?.missing.length) note += ` ${t("faults_missing", { parts: faults.missing.map((m) => `${m.centre}/${m.part}: ${m.why}`).join("; ") })}`;
  say($("faults-more"), note);
}

let charted;
function showHistory() {
  const { history } = answers;
  const width = $("chart").clientWidth;
  const now = history && `${history.revision} ${language} ${width}`;
  if (!history || charted === now) return;
  charted = now;
  chart($("chart"), history);
  if (document.querySelector("#history details").open) $("history-table").replaceChildren(table(history));
}

// Language, theme, wall, search.

// translate sets every sentence that stands in the page. Figures within a sentence become elements of their own.
function translate() {
  use(language);
  speak(language);
  unknown.text = t("unknown");
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  for (const element of document.querySelectorAll("[data-t]")) {
    element.replaceChildren(...sentence(element.dataset.t).split(/(\{[\w.]+\|\w+\})/).map((part) => {
      const place = /^\{([\w.]+)\|(\w+)\}$/.exec(part);
      return place ? make("data", { "data-figure": place[1], "data-as": place[2] }) : part;
    }));
  }
  for (const element of document.querySelectorAll("[data-label]")) element.setAttribute("aria-label", t(element.dataset.label));
  const other = language === "zh" ? ["en", "English"] : ["zh-CN", "中文"];
  $("language").lang = other[0];
  say($("language"), other[1]);
  paint();
  hang();
  find();
  render();
}

const themes = ["auto", "light", "dark"];
let theme = preferred("theme", themes) ?? "auto";
function paint() {
  document.documentElement.dataset.theme = theme;
  say($("theme"), t(`theme_${theme}`));
}

let wall = new URLSearchParams(location.search).has("wall");
function hang() {
  document.body.toggleAttribute("data-wall", wall);
  say($("wall"), t(wall ? "wall_leave" : "wall"));
  charted = undefined;
  render();
}

function find() {
  const words = $("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const n = Object.values(tables).reduce((sum, each) => sum + each.search(words), 0);
  const text = words.length === 0 ? "" : t(n === 0 ? "found_none" : n === 1 ? "found_one" : "found", { n: write(n, "count") });
  say($("found"), text);
  if (text) announce(text, 700);
}

$("language").addEventListener("click", () => {
  language = language === "zh" ? "en" : "zh";
  prefer("lang", language);
  charted = undefined;
  translate();
});
$("theme").addEventListener("click", () => {
  theme = themes[(themes.indexOf(theme) + 1) % themes.length];
  prefer("theme", theme);
  paint();
});
$("wall").addEventListener("click", () => {
  wall = !wall;
  hang();
});
$("search").addEventListener("input", find);
document.addEventListener("keydown", (event) => {
  const typing = event.target.matches("input, textarea");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey && !wall) {
    event.preventDefault();
    $("search").focus();
    $("search").select();
  } else if (event.key === "Escape" && wall) {
    wall = false;
    hang();
  } else if (event.key === "Escape" && event.target === $("search")) {
    $("search").value = "";
    find();
  }
});
document.querySelector("#history details").addEventListener("toggle", (event) => {
  if (event.target.open && answers.history) $("history-table").replaceChildren(table(answers.history));
});
new ResizeObserver(render).observe($("chart"));
for (const event of ["online", "pageshow"]) window.addEventListener(event, () => link.state !== "live" && hurry());
document.addEventListener("visibilitychange", () => document.hidden || (link.state !== "live" && hurry()));

setInterval(() => {
  if (link.state === "live" && performance.now() - link.heard > quietAfter) become("quiet");
  askDue();
}, 1000);

translate();
