#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# toolroot.sh: make sure the tool root exists, and print where it is.
#
# The tool root is a Debian trixie tree with exactly the compilers that built
# the stock kernel, and all other tools the scripts use. It belongs to whoever
# runs this; scripts/in-toolroot.sh runs a command in it.

. "$(dirname "$0")/lib.sh"

list=$PRISM_SRC/scripts/toolroot.packages

if in_toolroot; then
	echo /
	exit
fi

unpack_toolroot() {
	local root=$1 packages

	mapfile -t packages < <(words <"$list")
	debian_tar "${packages[@]}" |
		tar -x -C "$root" --no-same-owner --exclude='./dev/*' --exclude='./var/cache/apt/*'
	# Places to bind the host's files on.
	mkdir -p "$root/etc/ssl/certs"
	touch "$root/etc/resolv.conf" "$root/etc/hosts" "$root/etc/ssl/certs/ca-certificates.crt"
	echo "${packages[*]}" >"$root/etc/prism-toolroot"
}

build() {
	APT_BACKPORTS=backports progress "building the tool root (400 packages, 700 MB, once)" \
		"$PRISM_CACHE/log/toolroot.log" unpack_toolroot "$1"
}

need_host mmdebstrap:mmdebstrap /usr/share/keyrings/debian-archive-keyring.gpg:debian-archive-keyring \
	bwrap:bubblewrap flock:util-linux
key=$({ words <"$list"; apt_sources backports; } | hash_of)
root=$PRISM_CACHE/toolroot-$key
make_dir "$root" build
echo "$root"
