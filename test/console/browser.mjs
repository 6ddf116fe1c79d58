// A browser, pages that note what must not happen, and pictures of them.

import { readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

export const collector = process.env.CONSOLE;
export const waiting = process.env.WAITING;
export const guarded = process.env.GUARDED;

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const pictures = new URL("screenshots/", import.meta.url).pathname;
await mkdir(pictures, { recursive: true });

// Chromium's own sandbox does not work for root, who runs what continuous integration runs.
export const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox"] });

// open opens the page in a context of its own and waits until it is live. page.wrong lists what must not happen: errors, complaints of the
// browser, requests to other origins.
export async function open({ path = "/", at = collector, live = true, ...context } = {}) {
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 }, locale: "en-GB", ...context });
  page.wrong = [];
  page.answers = [];
  page.on("console", (m) => m.type() === "log" || page.wrong.push(`console: ${m.type()}: ${m.text()}`));
  page.on("pageerror", (e) => page.wrong.push(`error: ${e.stack}`));
  page.on("request", (r) => new URL(r.url()).origin === at || page.wrong.push(`request to ${r.url()}`));
  page.on("response", (r) => page.answers.push(r));
  await page.goto(at + path);
  if (live) {
    await page.waitForSelector("body[data-link=live]");
    await page.waitForFunction(() => [...document.querySelectorAll("[data-answer]")].every((s) => s.dataset.revision));
  }
  return page;
}

// picture keeps how a page looks.
export function picture(page, name, fullPage = true) {
  return page.screenshot({ path: `${pictures}${name}.png`, fullPage });
}

// violations are what axe finds: all of its rules, those of good practice too. Of a table it looks at the first rows: the others are like them.
export async function violations(page) {
  await page.evaluate(axe);
  const { violations: found } = await page.evaluate(() => window.axe.run({ exclude: [["tbody tr:nth-child(n + 8)"]] }));
  return found.map((v) => `${v.id}: ${v.help}: ${v.nodes.map((n) => `${n.target} ${n.failureSummary}`).slice(0, 3).join("; ")}`);
}

// eventually waits until check throws no more.
export async function eventually(check, within = 20_000) {
  const until = Date.now() + within;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > until) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

// order changes the world.
export async function order(path) {
  const response = await fetch(process.env.ORDERS + path, { method: "POST" });
  if (!response.ok) throw new Error(`${path}: ${await response.text()}`);
}
