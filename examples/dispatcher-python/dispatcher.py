#!/usr/bin/env python3
"""An example to copy: takes jobs from a file, starts each where it fits best, and keeps those that fit nowhere until something
becomes free. It needs nothing but Python's standard library.

Standing in for a scheduler it prints what it would start. It shows the three things that a dispatcher of one's own needs: ask
where a job fits, wait for the stream to tell of a change, and leave a pool alone until what was handed out shows up as busy.

    dispatcher.py --collectors http://127.0.0.1:8470 jobs.txt

A line of the file is a job: a name, how many devices, how many of them share a host.
"""

import argparse
import json
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

SILENCE = 25  # seconds after which a stream that says nothing is given up: collectors say something every ten


class Collectors:
    """Asks the first collector that answers, and never takes an older answer than an earlier one."""

    def __init__(self, addresses, token_file=None):
        self.addresses = addresses
        self.token_file = token_file
        self.lock = threading.Lock()
        self.newest = (0, "")  # revision and time

    def request(self, url, **headers):
        """A request that shows the token, if there is one. It is read each time, so that it can be replaced."""
        if self.token_file:
            with open(self.token_file, encoding="ascii") as file:
                headers["Authorization"] = "Bearer " + file.read().strip()
        return urllib.request.Request(url, headers=headers)

    def get(self, path, tries=3, **parameters):
        query = urllib.parse.urlencode(parameters)
        problem = None
        for attempt in range(tries):
            wait = 0.1 * 2**attempt
            for address in self.addresses:
                try:
                    with urllib.request.urlopen(self.request(f"{address}{path}?{query}"), timeout=10) as answer:
                        document = json.load(answer)
                    if self.accepts(document):
                        return document
                    problem = RuntimeError(f"{address} is behind")
                except urllib.error.HTTPError as error:
                    detail = json.loads(error.read() or b"{}").get("detail", error.reason)
                    problem = RuntimeError(f"{address} answers {error.code}: {detail}")
                    if error.code < 500 and error.code not in (404, 429):
                        raise problem from error  # the question is wrong, and stays so
                    wait = max(wait, min(float(error.headers.get("Retry-After") or 0), 5))
                except (OSError, ValueError) as error:
                    problem = RuntimeError(f"{address}: {error}")
            time.sleep(wait)
        raise problem

    def accepts(self, document):
        revision, as_of = document["revision"], document["as_of"]
        with self.lock:
            # A lower revision of a later time belongs to a log that was begun anew.
            if revision < self.newest[0] and as_of <= self.newest[1]:
                return False
            self.newest = (revision, as_of)
            return True

    def changes(self, changed):
        """Sets the event at whatever the stream tells, for ever. Where a stream ends it goes on at the next collector."""
        last = ""
        turn = 0
        while True:
            address = self.addresses[turn % len(self.addresses)]
            turn += 1
            try:
                request = self.request(address + "/v1/stream", Accept="text/event-stream")
                if last:
                    request.add_header("Last-Event-ID", last)
                with urllib.request.urlopen(request, timeout=SILENCE) as stream:
                    for line in stream:
                        field, _, value = line.decode().rstrip("\r\n").partition(":")
                        if field == "id":
                            last = value.strip()
                        elif field == "data":
                            changed.set()
            except OSError as error:
                print(f"the stream of {address}: {error}", file=sys.stderr)
            time.sleep(1)


class Dispatcher:
    def __init__(self, collectors, settle):
        self.collectors = collectors
        self.settle = settle
        self.given = {}  # pools that were given a job, and when
        self.said = {}  # what each waiting job was told last

    def dispatch(self, jobs):
        changed = threading.Event()
        threading.Thread(target=self.collectors.changes, args=(changed,), daemon=True).start()
        while True:
            changed.clear()
            jobs = [job for job in jobs if not self.start(*job)]
            if not jobs:
                return
            # A pool that was left alone is due again without anything changing.
            changed.wait(max(self.settle / 4, 0.1))

    def start(self, name, count, per_host):
        match = self.collectors.get("/v1/match", count=count, per_host=per_host, max_age_s=30)
        why = match.get("short", "")
        for pool in match["pools"]:
            if not pool["fits"]:
                continue
            key = tuple(pool[k] for k in ("centre", "cluster", "kind", "vendor", "model"))
            if time.monotonic() - self.given.get(key, -self.settle) < self.settle:
                why = "the pools that have room were given jobs just now"
                continue
            self.given[key] = time.monotonic()
            print(f"start {name}: {count} × {pool['model']} in {pool['centre']}/{pool['cluster']}, by revision {match['revision']}", flush=True)
            return True
        if self.said.get(name) != why:
            self.said[name] = why
            print(f"wait {name}: {why}", flush=True)
        return False


def read_jobs(path):
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            words = line.split()
            if not words:
                continue
            try:
                name, count, per_host = words[0], int(words[1]), int(words[2])
                if len(words) != 3 or count < 1 or per_host < 1:
                    raise ValueError
            except (IndexError, ValueError):
                raise SystemExit(f"{path}:{number}: want a name, devices, devices a host") from None
            yield name, count, per_host


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--collectors", default="http://127.0.0.1:8470", help="addresses, separated by commas")
    parser.add_argument("--token-file", help="file with the token to show, where collectors ask for one; only over TLS, or on this machine")
    parser.add_argument("--settle", type=float, default=30, help="seconds for which a pool that was given a job is left alone")
    parser.add_argument("jobs", help="a file with a job a line")
    args = parser.parse_args()
    try:
        Dispatcher(Collectors(args.collectors.split(","), args.token_file), args.settle).dispatch(list(read_jobs(args.jobs)))
    except (RuntimeError, OSError) as error:
        raise SystemExit(f"dispatcher.py: {error}") from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
