#!/usr/bin/env bash
# Makes the system that the boot tests start, this machine's own release in its smallest form, with systemd: .cache/boot/RELEASE. It takes
# about a minute, once. What the tests do to it stays in memory and is gone with them.
set -euo pipefail
cd "$(dirname "$0")/../.."

suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
root=.cache/boot/$suite
[ -e "$root.ready" ] && exit 0

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }

if [ -z "$suite" ] || ! command -v debootstrap >/dev/null || ! command -v systemd-nspawn >/dev/null; then
	echo "boot: this needs a Debian or an Ubuntu, with debootstrap and systemd-nspawn (packages debootstrap, systemd-container)" >&2
	exit 1
fi
mkdir -p .cache/boot
as_root rm -rf "$root"
echo "boot: making a $suite in $root (about a minute)"
if ! as_root debootstrap --variant=minbase --include=systemd,systemd-sysv "$suite" "$root" >"$root.log" 2>&1; then
	tail -n 20 "$root.log" >&2
	exit 1
fi
as_root rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists
touch "$root.ready"
