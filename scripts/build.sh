#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# build.sh [stock|cloud|rt|debug|kcsan] [simnic|failable]: build prism.ko for that kernel, or for KDIR
# where it is set, in build/RELEASE. What was built for the stock kernel or for
# KDIR is also prism.ko at the top. CLIPPY=1 lints it, in build/RELEASE-clippy.
# With simnic, the same for the measurements' NIC, in build/RELEASE-simnic; with
# failable, for what lets tests have functions of the kernel fail.

. "$(dirname "$0")/lib.sh"

flavour=${1:-stock}
case ${2-} in
'') module=prism source=$PRISM_SRC ;;
simnic | failable) module=$2 source=$PRISM_SRC/selftests/$2 ;;
*) die "build.sh [stock|cloud|rt|debug|kcsan] [simnic|failable]" ;;
esac
if [ -n "${KDIR-}" ]; then
	kdir=$(cd "$KDIR" 2>/dev/null && pwd -P) || die "KDIR=$KDIR: no such directory"
	export KDIR=$kdir
	# A tree of the cache was made by the tools of the tool root.
	case $KDIR/ in
	"$PRISM_CACHE"/*) TOOLROOT=1 ;;
	esac
	[ -z "${TOOLROOT-}" ] || enter_toolroot "$0" "$@"
	flavour=kdir
else
	enter_toolroot "$0" "$@"
	kdir=$("$PRISM_SRC/scripts/kernel.sh" "$flavour")/build
fi
"$PRISM_SRC/scripts/check-kdir.sh" "$kdir"

config() { sed -n "s/^CONFIG_$1=//p" "$kdir/.config" | tr -d '"'; }

# The compiler that built the kernel, where it is here under the same name.
compiler() {
	local cc

	if [ -n "$(config CC_IS_CLANG)" ]; then
		echo LLVM=1
		return
	fi
	cc=$(config CC_VERSION_TEXT | cut -d' ' -f1)
	! command -v "$cc" >/dev/null || echo "CC=$cc"
}

release=$(cat "$kdir/include/config/kernel.release")
name=$release${2:+-$2}${CLIPPY:+-clippy}
out=$PRISM_SRC/build/$name
args=(-C "$kdir" M="$source" MO="$out" -j"${JOBS:-$(nproc)}" --no-print-directory)
[ -z "${V-}" ] || args+=(V="$V")
[ -z "${CLIPPY-}" ] || args+=(CLIPPY=1)
mapfile -t -O ${#args[@]} args < <(compiler)

mkdir -p "$out"
(
	flock 9
	env -u KDIR -u MAKEFLAGS -u MFLAGS make "${args[@]}" modules
) 9>"$PRISM_SRC/build/.$name.lock" 1>&2
[[ $flavour != stock && $flavour != kdir ]] || [ "$module" != prism ] || [ -n "${CLIPPY-}" ] ||
	ln -sfn "build/$name/prism.ko" "$PRISM_SRC/prism.ko"
echo "build/$name/$module.ko"
