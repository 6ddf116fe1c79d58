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

mkdir -p "$dir"
cgo=1
[ "$arch" != loong64 ] || cgo=0
build "$cgo" exameter-agent exameter
build 0 exameter-collector
