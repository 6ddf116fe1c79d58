#!/usr/bin/env bash
# machine.sh NAME ROOT PIDFILE [ARGUMENT]...: boots the system in ROOT in a container by systemd-nspawn, without touching ROOT, with a
# network of its own that leads nowhere. It goes on until the container ends. Its own process, whose id stands in PIDFILE, is the parent of
# them all: when it is killed, everything in the container is gone with it. Control groups of its own let the container's systemd enforce the
# limits of its units. Runs as root.
set -euo pipefail
name=$1 root=$2 pidfile=$3
shift 3
echo $$ >"$pidfile"
nspawn=(unshare --fork --pid --mount-proc --kill-child systemd-nspawn --quiet --register=no --keep-unit --boot --private-network --volatile=overlay --machine="$name" --directory="$root"
	--console=pipe --system-call-filter=adjtimex "$@" systemd.log_target=journal)

if [ -d /run/systemd/system ]; then
	exec systemd-run --quiet --scope --unit="$name" --property=Delegate=yes "${nspawn[@]}"
fi
# No systemd runs here: groups are made by hand, in the one hierarchy or in each of the old ones. Two of those want settings of their own.
for dir in /sys/fs/cgroup /sys/fs/cgroup/*; do
	if [ -w "$dir/cgroup.procs" ] && mountpoint -q "$dir" && [[ $dir != */cpuset && $dir != */freezer ]]; then
		# The one hierarchy hands limits down where it is told to.
		[ ! -e "$dir/cgroup.subtree_control" ] || echo "+cpu +memory +pids" 2>/dev/null >"$dir/cgroup.subtree_control" || true
		mkdir -p "$dir/$name"
		echo $$ >"$dir/$name/cgroup.procs"
	fi
done
exec "${nspawn[@]}"
