#!/usr/bin/env bash
# Gets the Slurm that the tests ask, as Debian packages it, into .cache/slurm: its controller, its commands and those libraries of theirs
# that this machine does not have. They are unpacked and not installed, so nothing of this machine changes and no service is started.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
cache=$root/.cache/slurm
[ ! -e "$cache/ready" ] || exit 0

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }

command -v apt-get >/dev/null && command -v dpkg >/dev/null || {
	echo "slurm: it comes from Debian's packages, and this is no Debian: unpack slurmctld and slurm-client in $cache, and touch $cache/ready" >&2
	exit 1
}
apt-cache show slurmctld >/dev/null 2>&1 || as_root apt-get -qq update </dev/null
rm -rf "$cache"
mkdir -p "$cache/packages"
cd "$cache/packages"
# Of packages that are installed already, the simulation does not speak: they are where the loader finds them.
apt-get -qq -s install --no-install-recommends slurmctld slurm-client slurm-wlm-basic-plugins </dev/null |
	awk '$1 == "Inst" { print $2 }' | xargs -r apt-get -qq download 2>/dev/null || {
	echo "slurm: Debian's packages could not be fetched: try apt-get update, then run make again" >&2
	exit 1
}
for package in *.deb; do dpkg -x "$package" "$cache"; done
rm -rf "$cache/packages"
touch "$cache/ready"
