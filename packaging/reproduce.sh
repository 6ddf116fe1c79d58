#!/usr/bin/env bash
# Builds the packages of this commit twice, the second time from a clone in another place and with nothing that the first has
# compiled, and compares them byte for byte.
#
#   packaging/reproduce.sh ARCH...
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || { echo "usage: packaging/reproduce.sh ARCH..." >&2; exit 2; }
say() { echo "reproduce: $*"; }

[ -z "$(git status --porcelain)" ] || { say "there are changes that a clone would not have: commit them first" >&2; exit 1; }
dir=$(mktemp -d)
trap 'chmod -R u+w "$dir"; rm -rf "$dir"' EXIT
packaging/package.sh "$@"
git clone --quiet . "$dir/clone"
mkdir "$dir/clone/.cache"
ln -s "$PWD/.cache/zig" "$dir/clone/.cache/zig"
(cd "$dir/clone" && GOCACHE=$dir/go-build packaging/package.sh "$@" >"$dir/log") || { cat "$dir/log"; exit 1; }
differ=0
for file in dist/*.deb dist/*.rpm; do
	cmp "$file" "$dir/clone/$file" && say "the same: $(sha256sum "$file")" || differ=1
done
exit $differ
