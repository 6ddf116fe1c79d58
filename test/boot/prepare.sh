#!/usr/bin/env bash
# Makes what the boot tests need, each where it is missing or older than what it is made from:
#
#   .cache/boot/RELEASE     the system that they start, this machine's own release in its smallest form with systemd: a minute, once. What the
#                           tests do to it stays in memory and is gone with them.
#   .cache/boot/packages    the packages of the working tree for this processor
set -euo pipefail
cd "$(dirname "$0")/../.."

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }

system() {
	local suite root
	suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
	root=.cache/boot/$suite
	[ ! -e "$root.ready" ] || return 0
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
	as_root sh -c "rm -rf '$root'/var/cache/apt/archives/*.deb '$root'/var/lib/apt/lists"
	touch "$root.ready"
}

# sources lists the files that packages are made from.
sources() { git ls-files -z --cached --others --exclude-standard -- . ':!test' ':!docs' ':!*_test.go' ':!*.md'; }

packages() {
	local stamp=.cache/boot/packages.ready copy=.cache/boot/source
	if [ -e "$stamp" ] && [ -z "$(sources | xargs -0 ls -d 2>/dev/null | tr '\n' '\0' | xargs -0 sh -c 'find "$@" -newer "$0" -print' "$stamp")" ]; then
		return
	fi
	echo "boot: making the packages"
	rm -rf "$copy" .cache/boot/packages "$stamp"
	mkdir -p "$copy"
	ln -s "$PWD/.cache" "$copy/.cache"
	git ls-files -z --cached --others --exclude-standard -- . ':!test' | xargs -0 ls -d 2>/dev/null | tar -cf - -T - | tar -C "$copy" -xf -
	if ! (cd "$copy" && VERSION=0.0.0+boot SOURCE_DATE_EPOCH=1700000000 packaging/package.sh "$(go env GOARCH)") >"$stamp.log" 2>&1; then
		tail -n 20 "$stamp.log" >&2
		exit 1
	fi
	mv "$copy/dist" .cache/boot/packages
	rm -rf "$copy" .cache/boot/packages/stage
	touch "$stamp"
}

system
packages
