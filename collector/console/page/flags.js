// What keeps the number from being the whole truth, in words. Thresholds are those of docs/console.md.

import { write } from "./format.js";
import { t } from "./words.js";

const fewReport = 0.95; // of the hosts
const fewNames = 6; // of silent centres
const oldReport = 30; // seconds: stale_after, unless configured otherwise
const oldFigures = 30; // seconds behind the collector's clock

// why says what a problem is.
export function why(problem) {
  if (!problem) return "";
  if (problem.cut) return t("f_cut");
  if (problem.status === 0) return t("why_none");
  return t("why_says", { detail: problem.message, status: problem.status });
}

// flagsOf lists what there is to say: bad, warn or note, with a key that stays the same while it is said.
export function flagsOf({ capacity, problem, behind, silent, founded }) {
  const flags = [];
  const flag = (level, key, args) => flags.push({ level, key, text: t(key, args) });
  if (problem) flags.push({ level: "bad", key: `problem-${problem.cut ? "cut" : problem.status}`, text: why(problem) });
  if (!capacity) return flags;
  const { total, parts } = capacity;
  if (behind > oldFigures) flag("bad", "f_clock", { s: write(behind, "seconds") });
  if (parts.behind > 0) flag("bad", "f_behind", { n: write(parts.behind, "count"), total: write(parts.total, "count"), s: write(parts.oldest_s, "seconds") });
  if (total.coverage !== null && total.coverage < fewReport) {
    flag("bad", total.hosts.online > 0 ? "f_coverage" : "f_none", { share: write(total.coverage, "share"), online: write(total.hosts.online, "count"), rated: write(total.hosts.rated, "count") });
  }
  if (silent.length > 0) {
    const names = silent.slice(0, fewNames).join(t("comma"));
    const n = silent.length - fewNames;
    flag("warn", "f_centres", { names: n > 0 ? t("f_more", { names, n }) : names });
  }
  if (total.age_s && total.age_s.max > oldReport) flag("warn", "f_age", { s: write(total.age_s.max, "seconds") });
  if (total.devices.unpriced > 0) flag("warn", "f_unpriced", { n: write(total.devices.unpriced, "count") });
  if (total.devices.stale > 0) flag("note", "f_stale", { n: write(total.devices.stale, "count"), eflops: write(total.eflops.stale, "eflops") });
  const [third, unsure] = ["third party", "unsure"].map((c) => founded.find((f) => f.confidence === c)?.eflops ?? 0);
  if (third > 0 || unsure > 0) flag("note", "f_estimated", { third: write(third, "eflops"), unsure: write(unsure, "eflops") });
  if ([capacity.catalogue, capacity.registry, capacity.rule].some((s) => s.includes(", "))) flag("note", "f_mixed");
  return flags;
}
