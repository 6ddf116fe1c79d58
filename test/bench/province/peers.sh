#!/usr/bin/env bash
# Gets the programs that bench-province compares with, into a cache beside the user's others: VictoriaMetrics from Debian's
# package, and Telegraf as a Go module, built with the three plugins it is measured with. What cannot be had is left out,
# and the bench says so.
set -uo pipefail

cache=${XDG_CACHE_HOME:-$HOME/.cache}/exameter-bench
version=v1.37.2
plugins=custom,inputs.kafka_consumer,aggregators.basicstats,parsers.influx,outputs.discard
mkdir -p "$cache"

if [ ! -x "$cache/vm/usr/bin/victoria-metrics" ]; then
	(cd "$cache" && apt-get -qq download victoria-metrics && dpkg -x victoria-metrics_*.deb vm) ||
		echo "bench-province: no VictoriaMetrics: Debian's package victoria-metrics could not be fetched" >&2
fi
if [ ! -x "$cache/telegraf" ]; then
	dir=$(cd / && go mod download -json "github.com/influxdata/telegraf@$version" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
	(cd "${dir:?}" && CGO_ENABLED=0 go build -mod=mod -trimpath -buildvcs=false -tags "$plugins" -o "$cache/telegraf" ./cmd/telegraf) ||
		echo "bench-province: no Telegraf: the module github.com/influxdata/telegraf@$version could not be built" >&2
fi
exit 0
