#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# image.sh test|demo|docker: make sure that guest image exists, and print its path.
# It is a read-only erofs, not compressed: a guest without KVM has no time to
# decompress anything.

. "$(dirname "$0")/lib.sh"

name=${1-}
lists=("$PRISM_SRC/qemu/test.packages")
case $name in
test) ;;
demo | docker) lists+=("$PRISM_SRC/qemu/$name.packages") ;;
*) die "usage: image.sh test|demo|docker" ;;
esac

make_image() {
	local dir=$1

	progress "building the guest image '$name' (once)" "$PRISM_CACHE/log/image-$name.log" \
		image_of "$dir"
}

image_of() {
	local packages

	mapfile -t packages < <(cat "${lists[@]}" | words)
	debian_tar "${packages[@]}" >"$1/root.tar"
	"$PRISM_SRC/scripts/in-toolroot.sh" mkfs.erofs "${erofs_options[@]}" --tar=f "$1/root.erofs" "$1/root.tar"
	rm "$1/root.tar"
}

key=$({ cat "${lists[@]}" | words; apt_sources; echo "${erofs_options[@]}"; } | hash_of)
dir=$PRISM_CACHE/image/$name-$key
if [ ! -e "$dir" ]; then
	! in_toolroot || die "image.sh $name has to run outside the tool root first"
	"$PRISM_SRC/scripts/toolroot.sh" >/dev/null
	make_dir "$dir" make_image
fi
echo "$dir/root.erofs"
