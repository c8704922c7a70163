#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# install.sh: put prism.ko where modprobe finds it.

. "$(dirname "$0")/lib.sh"

[ -e "$PRISM_SRC/prism.ko" ] || "$PRISM_SRC/scripts/build.sh"
ko=$(readlink -f "$PRISM_SRC/prism.ko")
release=$(basename "$(dirname "$ko")")
root=${INSTALL_MOD_PATH-}
dir=$root/lib/modules/$release

[ -n "$root" ] || [ -d "$dir" ] ||
	die "the kernel $release is not installed here ($dir is missing);" \
		"build for yours with KDIR, or set INSTALL_MOD_PATH"
install -D -m 644 "$ko" "$dir/updates/prism.ko"
depmod=$(PATH=$PATH:/usr/sbin:/sbin command -v depmod || :)
[ -z "$depmod" ] || "$depmod" ${root:+-b "$root"} "$release"
say "installed $dir/updates/prism.ko"
