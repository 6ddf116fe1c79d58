#!/usr/bin/env bash
# Builds the programs for the other processors that accelerators stand beside, as packages carry them: arm64 (Kunpeng,
# Phytium, Grace) with NVML, and loong64 (Loongson) without cgo, so without NVML. Where QEMU's user emulation is installed
# (qemu-user), the builds are run and the agent's own tests with them; where it is not, that is said.
set -euo pipefail
cd "$(dirname "$0")/.."
version=${1:?usage: packaging/cross.sh VERSION}
arm_root=/usr/aarch64-linux-gnu
tests=(./agent/cpu ./agent/device/drm ./agent/host ./agent/memory ./agent/power)

say() { echo "cross: $*"; }

# build ARCH: into bin/linux-ARCH.
build() {
	packaging/build.sh "$1" "$version" "bin/linux-$1"
	say "bin/linux-$1: $(du -h "bin/linux-$1/exameter-agent" | cut -f 1) exameter-agent, exameter-collector, exameter"
}

# prove ARCH EMULATOR...: the build says what it is, and the agent's readers do there what they do here.
prove() {
	local arch=$1
	shift
	if ! command -v "$1" >/dev/null 2>&1; then
		say "linux/$arch is built and was not run: no $1 (Debian: apt-get install qemu-user)"
		return
	fi
	say "linux/$arch: $("$@" "bin/linux-$arch/exameter-agent" version)"
	local said
	said=$("$@" "bin/linux-$arch/exameter-agent" sample 2>&1) || { say "linux/$arch: exameter-agent sample failed:"; echo "$said"; return 1; }
	GOOS=linux GOARCH=$arch CGO_ENABLED=0 go test -exec "$1" "${tests[@]}"
}

# prove_nvml: the arm64 agent loads a driver's library and reads cards through it.
prove_nvml() {
	command -v qemu-aarch64 >/dev/null 2>&1 || return 0
	local dir
	dir=$(mktemp -d)
	trap 'rm -rf "$dir"' RETURN
	cp -r test/nvmlsim/. "$dir"
	rm -f "$dir"/*.so
	GOARCH=arm64 make -s -C "$dir" CC="$PWD/packaging/glibc/zig-cc" NVML_H="$(go list -m -f '{{.Dir}}' github.com/NVIDIA/go-nvml)/pkg/nvml" libnvidia-ml-sim.so
	printf 'centre: cross\nkafka: {brokers: ["127.0.0.1:9092"]}\nsources: {nvml: {enabled: true, library: %s}}\n' "$dir/libnvidia-ml-sim.so" >"$dir/agent.yaml"
	EXAMETER_NVMLSIM=$dir/scenarios/h200-mixed.conf qemu-aarch64 -L $arm_root bin/linux-arm64/exameter-agent sample --config "$dir/agent.yaml" >"$dir/records" 2>"$dir/log" ||
		{ cat "$dir/log" >&2; return 1; }
	local cards
	cards=$(grep -c '^exameter_inventory_device,.*name="NVIDIA H200"' "$dir/records" || true)
	[ "$cards" = 8 ] || { say "the arm64 agent read $cards of 8 cards through NVML"; cat "$dir/log" >&2; return 1; }
	say "linux/arm64: reads 8 of 8 cards of a simulated driver through NVML"
}

build arm64
build loong64
prove arm64 qemu-aarch64 -L "$arm_root"
prove_nvml
prove loong64 qemu-loongarch64
