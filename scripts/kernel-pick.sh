# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Which kernel it is, and its source. Part of kernel.sh.

kernels=$PRISM_SRC/scripts/kernels
log=$PRISM_CACHE/log

# pick_kernel SERIES: set version and release, to the pinned ones where the
# archive (or the cache) has them, else to the newest of a series that works.
pick_kernel() {
	local wanted=$1 memo

	read -r version release < <(awk -v s="$wanted" '$1 == s {print $2, $3}' "$kernels") ||
		die "KERNEL=$wanted is not one of: $(awk '!/^#/ {print $1}' "$kernels" | xargs)"
	[ ! -e "$PRISM_CACHE/source/linux-$version" ] || return 0

	memo=$PRISM_CACHE/source/instead-of-$version
	if [ -e "$memo" ]; then
		read -r version release <"$memo"
		return
	fi
	locked apt progress "fetching the package lists of $PRISM_SUITE-backports" \
		"$log/apt-update.log" archive_update
	! archive_has "linux-image-$release" "$version" || return 0

	say "linux-image-$release $version is no longer in the archive"
	newest_of "$wanted" || newest_of 7.3 || newest_of 7.2 ||
		die "$PRISM_MIRROR has none of: $(awk '!/^#/ {print $1}' "$kernels" | xargs)"
	say "taking the newest known-good one instead: $version"
	mkdir -p "$PRISM_CACHE/source"
	echo "$version $release" >"$memo"
}

# newest_of SERIES: the newest image whose source is there too.
newest_of() {
	local pattern="^linux-image-${1/./\\.}\.[0-9]+\+deb13-amd64\$" image v

	while read -r image; do
		v=$(archive_apt apt-cache madison "$image" | awk -F ' *[|] *' 'NR == 1 {print $2}')
		if archive_has "linux-source-$1" "$v"; then
			version=$v release=${image#linux-image-}
			return 0
		fi
	done < <(archive_apt apt-cache pkgnames | grep -E "$pattern" | sort -rV)
	return 1
}

# The source of this kernel, unpacked; shared by the stock and the debug kernel.
kernel_source() {
	local source=$PRISM_CACHE/source/linux-$version

	make_dir "$source" unpack_source
	echo "$source"
}

unpack_source() {
	progress "fetching and unpacking the source of Linux $version (170 MB)" "$log/source.log" \
		fetch_source "$1"
}

fetch_source() {
	local name
	name=linux-source-$(cut -d. -f1,2 <<<"$version")

	archive_get "$1/.deb" "$name=$version"
	dpkg-deb --fsys-tarfile "$1"/.deb/*.deb | tar -x -O "./usr/src/$name.tar.xz" |
		tar -x -J -C "$1" --strip-components=1
	rm -r "$1/.deb"
}
