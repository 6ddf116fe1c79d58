#!/usr/bin/env bash
# Gets the databases that the tests write to, InfluxDB and VictoriaMetrics, as Debian packages them, into .cache/databases. They are
# unpacked and not installed, so nothing of this machine changes and no service is started.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
cache=$root/.cache/databases
mkdir -p "$cache"
cd "$cache"

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }

# get PACKAGE FILE: FILE is what of the package is needed.
get() {
	[ ! -x "$2" ] || return 0
	command -v apt-get >/dev/null && command -v dpkg >/dev/null || {
		echo "databases: $1 comes from Debian's package, and this is no Debian: put the program at $cache/$2" >&2
		exit 1
	}
	apt-cache show "$1" >/dev/null 2>&1 || as_root apt-get -qq update </dev/null
	rm -f "$1"_*.deb
	apt-get -qq download "$1" 2>/dev/null || {
		echo "databases: Debian's package $1 could not be fetched: try apt-get update, then run make again" >&2
		exit 1
	}
	dpkg -x "$1"_*.deb .
	rm -f "$1"_*.deb
}

get influxdb usr/bin/influxd
get victoria-metrics usr/bin/victoria-metrics
