#!/usr/bin/env bash
# Prints the version that programs and packages carry: 1.2.0 at the tag v1.2.0, 1.2.0+5.g84f91ef five commits later,
# 0.0.0+700.g84f91ef while there is no tag, and .dirty behind it where files differ from the commit. Each sorts above the
# ones before, for dpkg and for rpm. A shallow clone counts too few commits.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! commit=$(git rev-parse --short=7 HEAD 2>/dev/null); then
	echo 0.0.0+unknown
	exit
fi
if tag=$(git describe --tags --abbrev=0 --match 'v[0-9]*' 2>/dev/null); then
	since=$(git rev-list --count "$tag..HEAD")
else
	tag=v0.0.0
	since=$(git rev-list --count HEAD)
fi
version=${tag#v}
[ "$since" = 0 ] || version+=+$since.g$commit
if [ -n "$(git status --porcelain --untracked-files=no)" ]; then
	case $version in *+*) version+=.dirty ;; *) version+=+dirty ;; esac
fi
echo "$version"
