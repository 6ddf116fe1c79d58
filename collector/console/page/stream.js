// Following the stream of docs/stream.md: the document that its events make, and whether it is live.

import { Problem, events } from "./api.js";

const silence = 25_000; // the stream is lost that says nothing for longer: it says something every ten seconds
const longest = 15_000; // between two tries

// merge lays a delta over a document.
export function merge(document, delta, keyOf) {
  const groups = new Map(document.groups.map((g) => [keyOf(g), g]));
  for (const g of delta.groups) groups.set(keyOf(g), g);
  for (const g of delta.gone) groups.delete(keyOf(g));
  const order = [...groups.keys()].sort();
  const { revision, as_of, parts, total } = delta;
  return { ...document, revision, as_of, parts, total, groups: order.map((key) => groups.get(key)) };
}

// follow follows a stream for ever, and tells:
//   live(document, cut): after every event. cut says that the collector is cut off from its log, and that the document says no more
//   lost(problem): when the stream ended; problem is why, undefined where it was said goodbye
//   heard(date): when a stream begins, with the collector's own time
// It returns a function that tries at once.
export function follow(path, keyOf, tell) {
  let document = null;
  let last = null;
  let pause = 0;
  let hurry = () => {};

  async function once() {
    const controller = new AbortController();
    let timer;
    const heard = (response) => {
      clearTimeout(timer);
      timer = setTimeout(() => controller.abort(), silence);
      if (response) tell.heard(response.headers.get("Date"));
    };
    timer = setTimeout(() => controller.abort(), silence);
    try {
      for await (const { id, event, data } of events(path, { last, signal: controller.signal, heard })) {
        if (event === "bye") return;
        const content = JSON.parse(data);
        if (event === "snapshot") document = content;
        else if (event === "delta" && document) document = merge(document, content, keyOf);
        else continue;
        last = id;
        pause = 0;
        tell.live(document, id.endsWith("-cut"));
      }
    } finally {
      clearTimeout(timer);
      controller.abort();
    }
  }

  (async () => {
    for (;;) {
      let problem;
      try {
        await once();
      } catch (error) {
        problem = error instanceof Problem ? error : new Problem(0, error.message);
        if (error.status === 400) last = null; // it does not know the event that was named: begin anew
      }
      tell.lost(problem);
      pause = Math.min(longest, Math.max(1000, pause * 2, (problem?.retryAfter ?? 0) * 1000));
      await new Promise((resolve) => {
        hurry = resolve;
        setTimeout(resolve, pause * (0.75 + Math.random() / 2));
      });
    }
  })();
  return () => hurry();
}
