#!/usr/bin/env bash
# Gets the types that Grafana publishes of its dashboards, of each of its releases that are supported, and the TypeScript compiler that holds
# dashboards against them, into .cache/grafana.
set -euo pipefail
cd "$(dirname "$0")/.."

typescript=5.9.3
schemas=(11.6.16 12.4.11 13.2.3)

# get FOLDER PACKAGE VERSION: unless it is there already.
get() {
	local at=.cache/grafana/$1 is
	is=$(sed -n 's/^ *"version": "\(.*\)",*$/\1/p' "$at/node_modules/$2/package.json" 2>/dev/null | head -n 1) || true
	[ "$is" = "$3" ] && return
	rm -rf "$at"
	mkdir -p "$at"
	echo '{"private": true}' >"$at/package.json"
	npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$at" "$2@$3" </dev/null
}

get typescript typescript "$typescript"
for schema in "${schemas[@]}"; do
	get "schema-${schema%%.*}" @grafana/schema "$schema"
done
