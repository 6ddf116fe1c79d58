#!/usr/bin/env bash
# Gets promtool, with which tests check what exameter prints for Prometheus, into .cache/prometheus: Debian's package is unpacked there and
# not installed, as it would start a server. A promtool on PATH is taken as it is.
set -euo pipefail
cd "$(dirname "$0")/.."

command -v promtool >/dev/null && exit 0
[ -x .cache/prometheus/usr/bin/promtool ] && exit 0
if ! command -v apt-get >/dev/null || ! command -v dpkg >/dev/null; then
	echo "promtool: install Prometheus, whose promtool the tests need, and run make again" >&2
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
rm -f prometheus_*.deb usr/bin/prometheus
