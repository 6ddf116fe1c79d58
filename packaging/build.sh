#!/usr/bin/env bash
# Builds the three programs as packages carry them, byte for byte the same wherever this Go builds them:
#
#   packaging/build.sh ARCH VERSION DIR        ARCH: amd64, arm64 or loong64
#
# exameter-agent and exameter (whose demo holds an agent) reach NVML through cgo, linked against glibc 2.17; the collector
# needs no C, and for loong64 nothing has any.
set -euo pipefail
cd "$(dirname "$0")/.."
usage="usage: packaging/build.sh ARCH VERSION DIR"
arch=${1:?$usage} version=${2:?$usage} dir=${3:?$usage}

zig=.cache/zig
{
	echo '#ifndef __ASSEMBLER__'
	sed 's/^\( *#define DECLDIR\) *$/\1 __attribute__((weak))/' "$(go list -m -f '{{.Dir}}' github.com/NVIDIA/go-nvml)/pkg/nvml/nvml.h"
	echo '#endif'
} >"$zig/nvml.h.$$"
mv "$zig/nvml.h.$$" "$zig/nvml.h"

# By name, not by path: paths would stand in what Go compares, and so in what it builds.
export PATH=$PWD/packaging/glibc:$PATH CC=zig-cc
export CGO_CFLAGS="-O2 -g0 -Wno-deprecated-declarations" CGO_LDFLAGS="-O2 -Wl,-z,lazy"
export GOOS=linux GOARCH=$arch

# build CGO PROGRAM...
build() {
	local cgo=$1
	shift
	CGO_ENABLED=$cgo go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=$version" -o "$dir/" "${@/#/./cmd/}"
}

# old_enough PROGRAM: it asks glibc for nothing that came after 2.17.
old_enough() {
	local newest
	newest=$(readelf --wide --version-info "$1" | sed -n 's/.* Name: GLIBC_\([0-9.]*\) .*/\1/p' | sort -uV | tail -n 1)
	echo "build: $1 needs glibc ${newest:-not at all}"
	[ "$(printf '%s\n2.17\n' "${newest:-0}" | sort -V | tail -n 1)" = 2.17 ] || { echo "build: that is more than 2.17" >&2; return 1; }
}

mkdir -p "$dir"
cgo=1
[ "$arch" != loong64 ] || cgo=0
build "$cgo" exameter-agent exameter
build 0 exameter-collector
for program in exameter-agent exameter exameter-collector; do old_enough "$dir/$program"; done
