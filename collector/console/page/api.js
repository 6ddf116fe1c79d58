// Every request of the page goes through here: the one place for addresses, headers and errors.

// Problem is an answer that is none: an error of the collector, as RFC 9457 has it, or none at all (status 0).
export class Problem extends Error {
  constructor(status, detail, retryAfter = 0) {
    super(detail);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

// A token that somebody gave lasts as long as the tab, and is sent to the collector alone.
const kept = "exameter.token";
let token = "";
try {
  token = sessionStorage.getItem(kept) ?? "";
} catch {
  // storage is switched off: it lasts as long as the page
}

// identify goes on with a token.
export function identify(given) {
  token = given.trim();
  try {
    sessionStorage.setItem(kept, token);
  } catch {
    // see above
  }
}

// headers go with every request.
function headers(extra) {
  const all = new Headers(extra);
  if (token) all.set("Authorization", `Bearer ${token}`);
  return all;
}

// open asks for a path of the API, relative to the page, and returns the response; what is not well is thrown as a Problem.
async function open(path, { signal, header } = {}) {
  let response;
  try {
    response = await fetch(new URL(path, document.baseURI), { headers: headers(header), signal, credentials: "same-origin" });
  } catch (error) {
    throw new Problem(0, error.message);
  }
  if (response.ok) return response;
  let detail = response.statusText;
  try {
    detail = (await response.json()).detail ?? detail;
  } catch {
    // something between here and the collector answered, in words of its own
  }
  throw new Problem(response.status, String(detail), Number(response.headers.get("Retry-After")) || 0);
}

// get asks for an answer in JSON, for half a minute at most.
export async function get(path) {
  const response = await open(path, { signal: AbortSignal.timeout(30_000) });
  try {
    return await response.json();
  } catch (error) {
    throw new Problem(0, error.message);
  }
}

// pages asks for all pages of a list, at most so many, as one answer. Where one is gone, as its revision is not kept, it begins anew once.
export async function pages(path, name, most = 10) {
  for (let again = true; ; again = false) {
    try {
      const answer = await get(path);
      let { next } = answer;
      for (let n = 1; next && n < most; n++) {
        const page = await get(`${path}&cursor=${encodeURIComponent(next)}`);
        answer[name].push(...page[name]);
        ({ next } = page);
      }
      return { ...answer, next };
    } catch (error) {
      if (!(again && error.status === 410)) throw error;
    }
  }
}

// events asks for a stream of server-sent events, and yields them as {id, event, data}. heard is called for whatever comes, comments too.
export async function* events(path, { last, signal, heard }) {
  const header = { Accept: "text/event-stream" };
  if (last) header["Last-Event-ID"] = last;
  const response = await open(path, { signal, header });
  const type = response.headers.get("Content-Type") ?? "";
  if (!type.startsWith("text/event-stream")) throw new Problem(response.status, type);
  heard(response);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      heard();
      text += value;
      const blocks = text.split("\n\n");
      text = blocks.pop();
      for (const block of blocks) {
        const event = parse(block);
        if (event.data !== undefined) yield event;
      }
    }
  } catch (error) {
    throw new Problem(0, error.message);
  } finally {
    reader.cancel().catch(() => {});
  }
}

// parse reads one event; a comment has no data.
function parse(block) {
  const event = {};
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":");
    if (colon <= 0) continue;
    const name = line.slice(0, colon);
    const value = line.slice(colon + 1).replace(/^ /, "");
    event[name] = name === "data" && event.data !== undefined ? `${event.data}\n${value}` : value;
  }
  return event;
}
