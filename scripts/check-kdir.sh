#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# check-kdir.sh DIR: can prism.ko be built for the kernel tree DIR, with the
# tools of this machine? Names everything that is in the way.

. "$(dirname "$0")/lib.sh"

dir=${1:?usage: check-kdir.sh DIR}
bad=0
problem() { say "error: KDIR=$dir: $*"; bad=1; }

if [ ! -e "$dir/.config" ] || [ ! -e "$dir/include/config/kernel.release" ]; then
	problem "not a prepared kernel tree (needs .config and include/config/kernel.release," \
		"which 'make prepare modules_prepare' makes)"
	exit 1
fi

while read -r option; do
	grep -qE "^CONFIG_$option=[ym]$" "$dir/.config" || problem "the kernel lacks CONFIG_$option"
done < <(words <"$PRISM_SRC/scripts/kernel-options")

if grep -q '^CONFIG_RUST=y' "$dir/.config"; then
	[ -e "$dir/rust/libkernel.rmeta" ] ||
		problem "no Rust metadata (rust/libkernel.rmeta): a headers package has none;" \
			"a source tree of the same version gets it by 'make prepare modules_prepare'"
	built=$(sed -n 's/^CONFIG_RUSTC_VERSION_TEXT="\(.*\)"$/\1/p' "$dir/.config")
	here=$("${RUSTC:-rustc}" --version 2>/dev/null || echo "no rustc here")
	[ "$here" = "$built" ] ||
		problem "built by another rustc: '$built', here: '$here' (TOOLROOT=1 takes the tool root's)"
	command -v "${BINDGEN:-bindgen}" >/dev/null || problem "no bindgen here (TOOLROOT=1 takes the tool root's)"
fi
[ -e "$dir/Module.symvers" ] || problem "no Module.symvers: the kernel's symbols are not known"
exit $bad
