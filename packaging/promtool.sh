#!/usr/bin/env bash
# Gets Prometheus and its promtool, with which tests check rules, metrics and dashboards, into .cache/prometheus: Debian's package is unpacked
# there and not installed, as it would start a server. Those on PATH are taken as they are.
set -euo pipefail
cd "$(dirname "$0")/.."

have() { command -v "$1" >/dev/null || [ -x ".cache/prometheus/usr/bin/$1" ]; }
have promtool && have prometheus && exit 0
if ! command -v apt-get >/dev/null || ! command -v dpkg >/dev/null; then
	echo "promtool: install Prometheus, which the tests need with its promtool, and run make again" >&2
	exit 1
fi
mkdir -p .cache/prometheus
cd .cache/prometheus
fetch() { apt-get -qq -o APT::Sandbox::User=root download prometheus; }
if ! fetch 2>/dev/null; then
	if [ "$(id -u)" = 0 ]; then apt-get -qq update </dev/null; else sudo -n apt-get -qq update </dev/null; fi
	fetch
fi
dpkg -x prometheus_*.deb .
rm -f prometheus_*.deb
