#!/usr/bin/env bash
# Asks a running collector what its own document allows, and what it does not, again and again: no answer may be a 5xx, and each must be as
# the document says. Schemathesis comes from the Python package index into .cache; the collector is that of a small demo.
# usage: test/contract/fuzz.sh [seconds a phase of the run may take]
set -euo pipefail
cd "$(dirname "$0")/../.."

seconds=${1:-60}
version=4.32.5
port=${FUZZ_API_PORT:-8479}
venv=.cache/schemathesis
if ! "$venv/bin/schemathesis" --version 2>/dev/null | grep -q "$version"; then
	rm -rf "$venv"
	python3 -m venv "$venv"
	"$venv/bin/pip" --quiet --disable-pip-version-check install "schemathesis==$version"
fi

log=$(mktemp)
bin/exameter demo --hosts 120 --listen "127.0.0.1:$port" >/dev/null 2>"$log" &
demo=$!
trap 'kill "$demo" 2>/dev/null || true; wait "$demo" 2>/dev/null || true; rm -f "$log"' EXIT
for _ in $(seq 150); do
	grep -q "Every host has reported" "$log" && break
	kill -0 "$demo" || { cat "$log" >&2; exit 1; }
	sleep 0.2
done

# Streams do not end. Metrics and health are not ours to describe further. What a schema cannot say, such as that count is a multiple of
# per_host, makes some requests that it allows wrong, and 400 is right then.
cd .cache # where it leaves what it remembers
"schemathesis/bin/schemathesis" run "http://127.0.0.1:$port/v1/openapi.json" \
	--wait-for-schema 10 --max-time "$seconds" --workers 1 --no-color --continue-on-failure \
	--exclude-path /v1/stream --exclude-path /metrics \
	--checks not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance \
	--suppress-health-check all --request-timeout 10 --generation-database none | cut -c 1-400
kill -0 "$demo" || { echo "the collector ended" >&2; cat "$log" >&2; exit 1; }
