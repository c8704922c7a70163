#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# run.sh: the Debian packages are installed, upgraded, removed and purged. First on a clean
# system in a directory, where dkms builds the module for two kernels of the distribution;
# then that system is booted with each of them. Needs root, 10 GB below build/deb-test, which
# are free again afterwards, and downloads 700 MB, which are kept in the cache.

. "$(dirname "$0")/../../scripts/lib.sh"
. "$PRISM_SRC/selftests/deb/root.sh"
. "$PRISM_SRC/selftests/deb/chroot.sh"
. "$PRISM_SRC/selftests/deb/guest.sh"

work=$PRISM_SRC/build/deb-test
root=$work/root
packages=$work/packages
logs=$PRISM_SRC/build/log/deb
count=0

# check DESCRIPTION COMMAND...: a test. What it says is in build/log/deb.
check() {
	local what=$1 result=ok log
	shift

	count=$((count + 1))
	log=$logs/$(printf %02d $count).log
	"$@" >"$log" 2>&1 || result="not ok"
	echo "$result $count $what"
	[ "$result" = ok ] || tail -n 40 "$log" | sed 's/^/# /'
}

# kernel SERIES: version and release of the one that is known to work, or of the newest of
# that series. The archive has to have it now, whatever the cache has.
# shellcheck disable=SC2016
kernel() {
	PRISM_APT_OPTIONS=$(apt_host_options) "$PRISM_SRC/scripts/in-toolroot.sh" bash -c '
		. "$PRISM_SRC/scripts/lib.sh"
		. "$PRISM_SRC/scripts/archive.sh"
		. "$PRISM_SRC/scripts/kernel-pick.sh"
		locked apt archive_update >&2
		pick_kernel "$1"
		archive_has "linux-image-$release" "$version" || newest_of "$1" ||
			die "the archive has no kernel of series $1"
		echo "$version" "$release"' - "$1"
}

# The packages, and the next two versions, of the same sources.
build_packages() {
	local version

	"$PRISM_SRC/scripts/deb.sh" "$packages/new"
	v1=$(dpkg-deb -f "$packages"/new/prism-dkms_*.deb Version)
	v2=$v1+2 v3=$v1+3
	mv "$packages/new" "$packages/$v1"
	for version in "$v2" "$v3"; do
		PRISM_DEB_VERSION=$version "$PRISM_SRC/scripts/deb.sh" "$packages/$version"
	done
}

[ "$(id -u)" = 0 ] || { echo "ok 1 packages # SKIP needs root"; echo "1..1"; exit; }
need_host zstd:zstd xz:xz-utils
rm -rf "$work" "$logs"
mkdir -p "$work" "$logs"
trap 'umount -q "$root/var/lib/prism-dkms" || :; rm -rf "$work"' EXIT
build_packages
picked=$(kernel 7.2)
read -r version_72 r72 <<<"$picked"
picked=$(kernel 7.3)
read -r version_73 r73 <<<"$picked"
echo "KTAP version 1"
chroot_tests
guest_tests
removal_tests
echo "1..$count"
