// What somebody sees who opens the collector's page. The tests run in order; the last ones break things.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, test } from "node:test";
import { browser, collector, eventually, guarded, open, order, picture, violations, waiting } from "./browser.mjs";

after(() => browser.close());

const text = (page, selector) => page.locator(selector).innerText();
const at = (o, place) => place.split(".").reduce((v, key) => v?.[key], o);
const row = (page, list, name) => page.locator(`#${list} tbody tr`, { hasText: name });

test("headers are strict, and files are asked for again by their tags", async () => {
  for (const path of ["/", "/console/main.js", "/console/style.css", "/console/icon.svg"]) {
    const response = await fetch(collector + path);
    assert.equal(response.status, 200, path);
    const csp = response.headers.get("content-security-policy");
    for (const rule of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "img-src 'self' data:", "frame-ancestors 'none'"]) {
      assert.ok(csp.split("; ").includes(rule), `${path}: ${rule} in ${csp}`);
    }
    assert.equal(response.headers.get("x-content-type-options"), "nosniff");
    assert.equal(response.headers.get("referrer-policy"), "no-referrer");
    const again = await fetch(collector + path, { headers: { "If-None-Match": response.headers.get("etag") } });
    assert.equal(again.status, 304, path);
  }
  assert.equal((await fetch(`${collector}/console/none.js`)).status, 404);
});

test("every sentence stands in both languages, with the same places", async () => {
  const source = await readFile(new URL("../../collector/console/page/words.js", import.meta.url), "utf8");
  const { languages } = await import(`data:text/javascript,${encodeURIComponent(source)}`);
  const places = (words) => Object.fromEntries(Object.entries(words).map(([key, sentence]) => [key, [...sentence.matchAll(/\{[^}]+\}/g)].map(String).sort()]));
  assert.deepEqual(places(languages.zh), places(languages.en));
  const page = await readFile(new URL("../../collector/console/page/index.html", import.meta.url), "utf8");
  for (const [, key] of page.matchAll(/data-(?:t|label)="([^"]+)"/g)) assert.ok(key in languages.en, key);
});

test("a collector that has nothing to tell yet is shown so", async () => {
  const page = await open({ at: waiting, live: false });
  await eventually(async () => assert.match(await text(page, "#age"), /Nothing has been read yet\. The collector says: .+ \(503\)/));
  assert.equal(await text(page, "#link"), "Nothing has been read yet");
  const figures = await page.locator("main data[data-figure]").allTextContents();
  assert.ok(figures.length > 30);
  assert.deepEqual(figures.filter((f) => f !== "unknown"), [], "nothing but unknown is shown for a figure");
  assert.equal(await page.locator("main data:visible").count(), 1, "there is no more to see than that");
  assert.deepEqual(page.wrong.filter((w) => !w.includes("503")), []);
  assert.deepEqual(await violations(page), []);
  await picture(page, "waiting", false);
  await page.close();
});

test("where a token is wanted, somebody can show it", async () => {
  const page = await open({ at: guarded, live: false });
  await page.waitForSelector("#entry:visible");
  await eventually(async () => assert.match(await text(page, "#age"), /\(401\)/));
  assert.deepEqual(await violations(page), []);
  await picture(page, "token", false);
  const field = page.getByLabel(/This collector answers only those who show a token/);
  await field.fill("exameter_wrong");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#entry:visible");
  await field.fill(process.env.TOKEN);
  await page.getByRole("button", { name: "Use it" }).click();
  await eventually(async () => assert.match(await text(page, "#age"), /\(503\)/));
  assert.ok(await page.locator("#entry").isHidden());
  await page.reload();
  await eventually(async () => assert.match(await text(page, "#age"), /\(503\)/));
  assert.ok(!(await page.content()).includes(process.env.TOKEN) && !page.url().includes("exameter_"), "the token stands nowhere in the page");
  await page.close();
});

test("figures are the API's at the same revision", async () => {
  const documents = new Map();
  let asking = true;
  const asked = (async () => {
    while (asking) {
      const document = await (await fetch(`${collector}/v1/capacity?by=centre`)).json();
      documents.set(String(document.revision), document);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  const page = await open();
  try {
    await eventually(async () => {
      const shown = await page.evaluate(() => ({
        figures: [...document.querySelectorAll("data[data-figure^='capacity.']")].map((e) => ({ ...e.dataset, value: e.value, text: e.textContent })),
        centres: [...document.querySelectorAll("#centres tbody tr")].map((r) => [r.dataset.key, [...r.querySelectorAll("data")].slice(0, 3).map((e) => e.value)]),
      }));
      const document = documents.get(shown.figures.find((f) => f.figure === "capacity.revision").value);
      assert.ok(document, "the revision on the page is one that was asked for");
      for (const { figure, as, of, value, text: written } of shown.figures) {
        let want = at({ capacity: document }, figure);
        if (as === "ratio") want /= at({ capacity: document }, of);
        assert.equal(value, want === null ? "" : String(want), figure);
        if (as === "count") assert.equal(written, want.toLocaleString("en"), figure);
        if (as === "eflops" && want > 0.001) assert.equal(written, want.toFixed(3), figure);
        if (as === "headline") assert.equal(written, want.toPrecision(4));
      }
      const rows = Object.fromEntries(shown.centres);
      assert.ok(document.groups.length > 10);
      for (const { centre, eflops } of document.groups) assert.deepEqual(rows[centre], [eflops.online, eflops.free, eflops.rated].map(String), centre);
    });
  } finally {
    asking = false;
    await asked;
  }
  await eventually(async () => {
    const revision = await page.locator("#vendors").getAttribute("data-revision");
    const answers = page.answers.filter((r) => r.url().endsWith("/v1/capacity?by=vendor"));
    const documents = await Promise.all(answers.map((r) => r.json()));
    const { groups } = documents.find((d) => String(d.revision) === revision);
    const rows = await page.locator("#vendors tbody tr").evaluateAll((all) => all.map((r) => [r.querySelector(".name").textContent, ...[...r.querySelectorAll("data")].map((e) => e.value)]));
    assert.equal(rows.length, groups.length);
    for (const { vendor, devices, eflops } of groups) {
      const known = devices.unpriced < devices.rated;
      const want = [devices.free, devices.rated, ...[eflops.free, eflops.online, eflops.rated].map((e) => (known ? e : ""))].map(String);
      assert.deepEqual(rows.find((r) => r[0] === vendor).slice(1, 6), want, vendor);
    }
  });
  assert.equal(await text(page, "#plan .goal data >> nth=1"), "9", "the target is the registry's");
  assert.match(await text(page, "#flags"), /accelerators have no peak in the catalogue/);
  assert.match(await row(page, "centres", "Xingyi New Area").innerText(), /being built.*no accelerator known.*unknown/s);
  assert.deepEqual(page.wrong, []);
  await picture(page, "desktop-light");
  await page.close();
});

test("a card that is freed shows without a reload", async () => {
  const page = await open();
  await page.evaluate(() => { window.here = true; });
  const free = () => page.locator("#centres tr[data-key=strange] data").nth(1).getAttribute("value");
  const before = Number(await free());
  await order("/card/free");
  await eventually(async () => assert.ok(Number(await free()) > before, "more is free"));
  await order("/card/busy");
  await eventually(async () => assert.equal(Number(await free()), before), 5000);
  assert.ok(await page.evaluate(() => window.here));
  assert.deepEqual(page.wrong, []);
  await page.close();
});

test("names that are markup are shown as text", async () => {
  const page = await open();
  await page.fill("#search", "strange");
  assert.match(await row(page, "centres", "strange").innerText(), /<img src=x onerror="window.hacked=1">Centre/);
  await page.fill("#search", "window.hacked");
  assert.match(await text(page, "#pools"), /<script>window.hacked=1<\/script>/);
  await page.locator("#faults tbody tr").first().waitFor();
  await eventually(async () => {
    const { reasons } = await (await fetch(`${collector}/v1/hosts?state=faulty&limit=1`)).json();
    assert.ok(reasons.some((r) => r.reason === "xid" && r.devices > 0));
    assert.equal((await text(page, "#reasons")).replace(/\s+/g, " "), reasons.map((r) => `${r.reason} ${r.devices}`).join(" "));
  });
  assert.match(await text(page, "#faults"), /<b onmouseover="window.hacked=1">host<\/b>/);
  assert.equal(await page.evaluate(() => window.hacked), undefined);
  assert.equal(await page.locator("main :is(img, script, b, i)").count(), 0);
  await picture(page, "hostile");
  assert.deepEqual(page.wrong, []);
  await page.close();
});

test("the keyboard reaches everything, and searches", async () => {
  const page = await open();
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "main");
  await page.keyboard.press("/");
  assert.equal(await page.evaluate(() => document.activeElement.id), "search");
  await page.keyboard.type("ascend zunyi");
  await eventually(async () => assert.match(await text(page, "#found"), /^\d+ lines? match/));
  const centres = await page.locator("#pools tbody tr td:nth-of-type(1)").allInnerTexts();
  assert.ok(centres.length > 0 && centres.every((c) => c.includes("Zunyi")), `pools of ${centres}`);
  await eventually(async () => assert.match(await text(page, "#announcer"), /lines? match/));
  await page.keyboard.press("Escape");
  assert.equal(await page.inputValue("#search"), "");
  await page.fill("#search", "no such thing");
  assert.equal(await text(page, "#found"), "Nothing matches");
  await page.fill("#search", "");
  await page.locator("#centres thead button", { hasText: "Free" }).focus();
  await page.keyboard.press("Enter");
  const free = (await page.locator("#centres tbody tr").evaluateAll((all) => all.map((r) => r.querySelectorAll("data")[1].value))).filter(Boolean).map(Number);
  assert.deepEqual(free, free.toSorted ? free.toSorted((a, b) => b - a) : [...free].sort((a, b) => b - a));
  assert.equal(await page.locator("#centres [aria-sort=descending]").innerText(), "Free");
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  assert.equal(outline, "solid", "what has the focus is marked");
  assert.deepEqual(page.wrong, []);
  await page.close();
});

test("English and Chinese", async () => {
  const page = await open({ locale: "zh-CN" });
  assert.equal(await page.getAttribute("html", "lang"), "zh-CN");
  assert.equal(await text(page, "#province"), "模拟省");
  assert.equal(await text(page, "#now-title"), "当前在线算力");
  assert.match(await row(page, "centres", "xingyi-new").innerText(), /兴义新区.*在建.*未知/s);
  await picture(page, "desktop-zh");
  await page.click("#language");
  assert.equal(await page.getAttribute("html", "lang"), "en");
  assert.equal(await text(page, "#now-title"), "Online now");
  await page.reload();
  await page.waitForSelector("body[data-link=live]");
  assert.equal(await text(page, "#now-title"), "Online now", "the choice is kept");
  assert.deepEqual(page.wrong, []);
  await page.close();
});

test("light and dark", async () => {
  const ground = (page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await open();
  assert.deepEqual(await violations(light), []);
  const dark = await open({ colorScheme: "dark", reducedMotion: "reduce" });
  assert.notEqual(await ground(light), await ground(dark));
  assert.deepEqual(await violations(dark), []);
  assert.equal(await dark.evaluate(() => getComputedStyle(document.querySelector(".bar span")).transitionDuration.replace(/0s/, "0s")), "0s");
  await picture(dark, "desktop-dark");
  await dark.click("#theme");
  assert.equal(await text(dark, "#theme"), "Theme: light");
  assert.equal(await ground(dark), await ground(light));
  assert.deepEqual([...light.wrong, ...dark.wrong], []);
  await light.close();
  await dark.close();
});

test("below a path of a proxy it is the same page", async () => {
  const page = await open({ at: process.env.ORDERS, path: "/exameter/" });
  assert.equal(await text(page, "#province"), "Simulated province");
  assert.deepEqual(page.wrong, []);
  await page.close();
});

test("a phone needs no scrolling sideways", async () => {
  for (const [name, width] of [["phone", 360], ["phone-small", 320], ["tablet", 820]]) {
    const page = await open({ viewport: { width, height: 740 }, hasTouch: true });
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), width, name);
    if (name === "phone") assert.deepEqual(await violations(page), []);
    await picture(page, name);
    assert.deepEqual(page.wrong, []);
    await page.close();
  }
});

test("a wall shows the number, large", async () => {
  const page = await open({ path: "/?wall&theme=dark&lang=zh", viewport: { width: 1920, height: 1080 } });
  const number = await page.locator("#number").boundingBox();
  assert.ok(number.height > 300, `the number is ${number.height} pixels high`);
  assert.equal(await page.evaluate(() => document.documentElement.scrollHeight <= innerHeight), true, "nothing is below the edge");
  assert.equal(await page.locator("#centres").isVisible(), false);
  assert.deepEqual(await violations(page), []);
  await picture(page, "wall", false);
  await page.keyboard.press("Escape");
  assert.equal(await page.locator("#centres").isVisible(), true);
  assert.deepEqual(page.wrong, []);
  await page.close();
});

test("a centre that falls silent is shown so", async () => {
  const page = await open();
  const online = () => page.getAttribute("#number", "value").then(Number);
  const before = await online();
  await order("/centre/guian-north/off");
  await eventually(async () => {
    assert.match(await text(page, "#flags"), /Silent: Guian North\./);
    assert.match(await text(page, "#flags"), /Only \d+\.\d % of the hosts report/);
    assert.match(await row(page, "centres", "guian-north").innerText(), /silent/);
  });
  assert.ok(await online() < before, "what is silent is not online");
  await picture(page, "degraded");
  await order("/centre/guian-north/on");
  await eventually(async () => assert.doesNotMatch(await text(page, "#flags"), /Guian North/));
  assert.deepEqual(page.wrong, []);
  await page.close();
});

test("a collector that ends and comes back: not live, and live again", async () => {
  const page = await open();
  const number = await text(page, "#number");
  await order("/collector/stop");
  await page.waitForSelector("body[data-link=lost]");
  assert.match(await text(page, "#link"), /^Not live since \d\d:\d\d:\d\d$/);
  assert.match(await text(page, "#age"), /^Last known at \d\d:\d\d:\d\d: not live$/);
  await eventually(async () => assert.match(await text(page, "#flags"), /The collector does not answer/));
  assert.equal(await text(page, "#number"), number, "the last figure stays");
  assert.match(await page.evaluate(() => getComputedStyle(document.getElementById("number")).filter), /grayscale/);
  assert.equal(await text(page, "#announcer"), "The figures are not live any more.");
  assert.deepEqual(await violations(page), []);
  await picture(page, "lost");
  await order("/collector/start");
  await page.waitForSelector("body[data-link=live]", { timeout: 30_000 });
  assert.doesNotMatch(await text(page, "#flags"), /does not answer/);
  assert.equal(await text(page, "#announcer"), "The figures are live.");
  assert.deepEqual(page.wrong.filter((w) => !/ERR_CONNECTION_REFUSED|ERR_INCOMPLETE|ERR_CONNECTION_RESET|503/.test(w)), []);
  await page.close();
});

test("a province that says nothing any more is not idle", async () => {
  const page = await open();
  await order("/province/halt");
  await eventually(async () => {
    assert.match(await text(page, "#flags"), /No host reports: 0 of/);
    assert.equal(await page.getAttribute("[data-figure='capacity.total.eflops.free']", "value"), "0");
    assert.equal(await text(page, "[data-figure='capacity.total.utilisation']"), "unknown");
    assert.equal(await text(page, "#power"), "unknown");
  });
  await picture(page, "silent", false);
  await page.close();
});

test("a collector that is cut off from its log does not know what is online", async () => {
  const page = await open();
  const number = await text(page, "#number");
  await order("/broker/stop");
  await eventually(async () => {
    assert.match(await text(page, "#flags"), /cut off from its log and does not know what is online/);
    assert.match(await text(page, "#age"), /not live/);
  });
  assert.equal(await text(page, "#number"), number, "what was known last stays");
  await picture(page, "cut", false);
  await page.close();
  const late = await open({ live: false });
  await eventually(async () => assert.match(await text(late, "#age"), /Nothing has been read yet\. The collector is cut off from its log/));
  assert.equal(await text(late, "#number"), "unknown");
  await late.close();
});
