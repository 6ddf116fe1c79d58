#!/usr/bin/env bash
# run.sh TARGET...: what README promises of a machine that has nothing. Makes a Debian in its smallest form, as a root of its own (the release is
# FRESH_SUITE, or this machine's own), copies a clean clone of what is committed into it, and there installs git and make, then runs `make demo` and each
# target. Only the way to package registries comes from this machine: proxies, certificates, and where apt, pip, npm, Maven and Go are told to look.
# Where something fails, the machine stays in .cache/fresh/machine to be looked at. Takes root, or sudo without a password.
set -euo pipefail
cd "$(dirname "$0")/../.."

suite=${FRESH_SUITE:-$(. /etc/os-release && echo "${VERSION_CODENAME:-}")}
base=.cache/fresh/$suite
machine=.cache/fresh/machine

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }
say() { echo "fresh: $*"; }

make_base() {
	[ ! -e "$base.ready" ] || return 0
	if [ -z "$suite" ] || ! command -v debootstrap >/dev/null; then
		say "this needs a Debian or an Ubuntu, with debootstrap" >&2
		exit 1
	fi
	say "making a $suite in $base (about a minute)"
	mkdir -p .cache/fresh
	as_root rm -rf "$base"
	if ! as_root debootstrap --variant=minbase "$suite" "$base" >"$base.log" 2>&1; then
		tail -n 20 "$base.log" >&2
		exit 1
	fi
	touch "$base.ready"
}

make_machine() {
	as_root rm -rf "$machine" .cache/fresh/clone
	as_root cp -a "$base" "$machine"
	git clone -q --no-hardlinks . .cache/fresh/clone
	as_root cp -r --no-preserve=ownership .cache/fresh/clone "$machine/root/exameter"
	rm -rf .cache/fresh/clone
	# The way out: names, certificates that are this machine's own, and what each registry's client is told. Nothing else of the host's is there.
	as_root cp -L /etc/resolv.conf /etc/hosts "$machine/etc/"
	apt-config dump | grep -E '^Acquire::(http|https|ftp|Retries|Check)' | as_root tee "$machine/etc/apt/apt.conf.d/99fresh" >/dev/null || true
	local file
	for file in /etc/pip.conf /etc/npmrc /usr/local/share/ca-certificates; do
		[ ! -e "$file" ] || { as_root mkdir -p "$machine/$(dirname "$file")" && as_root cp -aL "$file" "$machine/$(dirname "$file")/"; }
	done
	for file in .npmrc .config/pip .m2/settings.xml .config/go/env; do
		[ ! -e ~/"$file" ] || { as_root mkdir -p "$machine/root/$(dirname "$file")" && as_root cp -rL ~/"$file" "$machine/root/$(dirname "$file")/"; }
	done
}

# passed lists the variables that tell the way to registries.
passed() { env -0 | grep -zE '^((HTTPS?|FTP|NO|ALL)_PROXY|(https?|ftp|no|all)_proxy|PIP_[A-Z_]+|NPM_CONFIG_[A-Za-z_]+|npm_config_[a-z_]+|GO(PROXY|SUMDB|NOSUMDB|PRIVATE|INSECURE)|MAVEN_(OPTS|ARGS)|SSL_CERT_FILE|NODE_EXTRA_CA_CERTS|(REQUESTS|CURL)_CA_BUNDLE)=' || true; }

# enter runs a command in the machine, as its root and with its own environment. The mounts and every process end with it.
enter() {
	local -a variables
	mapfile -d '' -t variables < <(passed)
	as_root unshare --mount --pid --fork --kill-child /bin/sh -euc '
		root=$1; shift
		mount --make-rprivate /
		mount --bind "$root" "$root"
		mount -t proc proc "$root/proc"
		mount --rbind /sys "$root/sys"
		mount --rbind /dev "$root/dev"
		mount -t tmpfs -o mode=755 tmpfs "$root/run"
		mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
		cd "$root"
		pivot_root . .
		umount -l .
		cd /root/exameter
		exec "$@"' enter "$machine" \
		/usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
		"${variables[@]}" "$@" </dev/null
}

# step says what is run, runs it in the machine, and says how long it took.
step() {
	local start=$SECONDS
	say "$*"
	enter "$@"
	say "$* took $((SECONDS - start)) s"
}

make_base
make_machine
step sh -c 'apt-get -qq update && apt-get -qq install -y --no-install-recommends git make ca-certificates >/dev/null 2>&1'
step make demo DEMO="--for 20s -o json"
for target; do step make "$target"; done
as_root rm -rf "$machine"
say "a bare $suite does it all"
