#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# deb.sh [DIR]: build the Debian packages prism-dkms and prism-tools, and have lintian look
# at them. They get into DIR, build/deb where none is given, in place of those that are there.
#
# Their version is that of tools/Cargo.toml, and until there is a tag of it (v0.1.0) or where
# there are commits behind the tag, how many and the last. PRISM_DEB_VERSION is another one.

. "$(dirname "$0")/lib.sh"
out=${1:-$PRISM_SRC/build/deb}
mkdir -p "$out"
out=$(cd "$out" && pwd -P)
export PRISM_BIND=${PRISM_BIND:+$PRISM_BIND:}$out
enter_toolroot "$0" "$out"
cd "$PRISM_SRC"
# What debhelper packs is beside the tree it works in.
work=$(mktemp -d "$out/source.XXXXXX")
trap 'rm -rf "$work"' EXIT
tree=$work/prism

git() { command git -c safe.directory='*' "$@"; }

version() {
	local base tag

	base=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' tools/Cargo.toml)
	tag=v$base
	if ! git rev-parse -q --verify "$tag^{commit}" >/dev/null; then
		echo "$base~$(git rev-list --count HEAD).g$(git rev-parse --short=8 HEAD)"
	elif [ "$(git rev-list --count "$tag..HEAD")" = 0 ]; then
		echo "$base"
	else
		echo "$base+$(git rev-list --count "$tag..HEAD").g$(git rev-parse --short=8 HEAD)"
	fi
}

# changelog VERSION
changelog() {
	local maintainer

	maintainer=$(sed -n 's/^Maintainer: //p' debian/control)
	printf 'prism (%s) stable; urgency=medium\n\n  * Built from commit %s.\n\n -- %s  %s\n' \
		"$1" "$(git rev-parse HEAD)" "$maintainer" "$(date -u -R -d "@$SOURCE_DATE_EPOCH")"
}

# What is tracked, and what was built of it: debhelper works in the tree that it packs.
make_tree() {
	mkdir -p "$tree/build"
	git ls-files -z | tar -c --null -T - | tar -x -C "$tree"
	cp -r build/tools "$tree/build/"
	changelog "$1" >"$tree/debian/changelog"
}

SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
scripts/tools.sh
make_tree "${PRISM_DEB_VERSION:-$(version)}"
(cd "$tree" && dpkg-buildpackage --build=binary --no-sign --no-check-builddeps) >"$out/build.log" 2>&1 || {
	tail -n 40 "$out/build.log" >&2
	die "the packages do not build; the log is $out/build.log"
}
lintian --fail-on error,warning --allow-root "$work"/*.changes
rm -f "$out"/prism-dkms_*.deb "$out"/prism-tools_*.deb "$out"/prism_*.{changes,buildinfo}
for file in "$work"/*.{deb,changes,buildinfo}; do
	mv "$file" "$out/"
	[[ $file != *.deb ]] || say "built $out/${file##*/}"
done
