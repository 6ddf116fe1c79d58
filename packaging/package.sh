#!/usr/bin/env bash
# Makes the packages, deb and rpm, into dist/. The same commit makes the same bytes. VERSION and SOURCE_DATE_EPOCH, where they
# are set, stand for what git would say.
#
#   packaging/package.sh ARCH...               amd64, arm64, loong64
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || { echo "usage: packaging/package.sh ARCH..." >&2; exit 2; }

nfpm=$PWD/.cache/bin/nfpm
version=${VERSION:-$(packaging/version.sh)}
stage=dist/stage
names=(exameter-agent exameter-collector exameter)
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
# What sorts before a release is written with a tilde by both package managers.
PACKAGE_VERSION=${version/-/\~}
export SOURCE_DATE_EPOCH PACKAGE_VERSION

say() { echo "package: $*"; }

# scripts NAME: what a package manager runs, with the package's name in it.
scripts() {
	local script
	for script in deb/postinst deb/prerm deb/postrm rpm/pre rpm/post rpm/preun rpm/postun; do
		mkdir -p "$stage/scripts/$1/${script%/*}"
		sed "s/@NAME@/$1/" "packaging/scripts/$script" >"$stage/scripts/$1/$script"
	done
}

# manuals: the pages of packaging/man, with date and version.
manuals() {
	local page
	mkdir -p "$stage/man"
	for page in packaging/man/*; do
		sed "s/@DATE@/$(date -u -d "@$SOURCE_DATE_EPOCH" +%F)/; s/@VERSION@/$version/" "$page" | gzip -9n >"$stage/man/${page##*/}.gz"
	done
}

# completions: what the command prints for shells to complete it by.
completions() {
	local shell
	mkdir -p "$stage/completion"
	for shell in bash zsh fish; do
		CGO_ENABLED=0 go run ./cmd/exameter completion "$shell" >"$stage/completion/$shell"
	done
}

# licences NAME: what the authors of modules that stand in a program ask to be passed on with it.
licences() {
	local module version dir
	mkdir -p "$stage/licences"
	{
		echo "Go's runtime and standard library are under the terms of golang.org/x/sys, below."
		GOOS=linux GOARCH=amd64 CGO_ENABLED=1 go list -deps -f '{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}} {{.Dir}}{{end}}{{end}}' "./cmd/$1" |
			LC_ALL=C sort -u | while read -r module version dir; do
			printf '\n%s %s\n\n' "$module" "$version"
			cat "$dir"/[Ll][Ii][Cc][Ee][Nn][CcSs][Ee]* || { say "$module has no licence" >&2; return 1; }
			find "$dir" -maxdepth 1 -name 'NOTICE*' -exec cat {} +
		done
	} >"$stage/licences/$1"
	gzip -9n "$stage/licences/$1"
}

# changelog NAME: the package's own, as Debian wants it; what is new stands in the program's.
changelog() {
	mkdir -p "$stage/changelog"
	printf '%s (%s-1) stable; urgency=medium\n\n  * What is new: changelog.gz.\n\n -- %s  %s\n' "$1" "$PACKAGE_VERSION" \
		"$(sed -n 's/^maintainer: //p' "packaging/nfpm/$1.yaml")" "$(LC_ALL=C date -u -d "@$SOURCE_DATE_EPOCH" -R)" | gzip -9n >"$stage/changelog/$1.gz"
}

rm -rf "$stage" dist/*.deb dist/*.rpm
mkdir -p "$stage"
scripts exameter-agent
scripts exameter-collector
manuals
completions
gzip -9nc CHANGELOG.md >"$stage/changelog.gz"
for name in "${names[@]}"; do
	licences "$name"
	changelog "$name"
done
GOARCH='' CGO_ENABLED=0 go build -C packaging/nfpm -trimpath -o "$nfpm" github.com/goreleaser/nfpm/v2/cmd/nfpm
for arch in "$@"; do
	packaging/build.sh "$arch" "$version" "$stage/$arch"
	for name in "${names[@]}"; do
		for format in deb rpm; do
			GOARCH=$arch "$nfpm" package --config "packaging/nfpm/$name.yaml" --packager "$format" --target dist/ >/dev/null
		done
	done
done
for file in dist/*.deb dist/*.rpm; do say "$file ($(du -h "$file" | cut -f 1))"; done
