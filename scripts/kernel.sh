#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# kernel.sh stock|cloud|rt|debug|kcsan: make sure that kernel exists, and print its directory:
#   build/    prepared tree, for KDIR
#   vmlinuz  System.map  config  release
#   modules/lib/modules/RELEASE/
#   make.args the compiler to give to make, as it was built
#
# stock is Debian's own binary, cloud and rt its other ones for this machine, with the Rust metadata its headers package does
# not ship made from the source package of the same version. debug is a small
# kernel from the same source with everything that finds mistakes, kcsan one that finds
# data races.
#
# KERNEL=7.3|7.2 chooses the series. The versions are in scripts/kernels.

. "$(dirname "$0")/lib.sh"

flavour=${1-}
series=${KERNEL:-7.3}
case $flavour in
stock | cloud | rt) kind=stock ;;
debug | kcsan) kind=debug ;;
*) die "usage: kernel.sh stock|cloud|rt|debug|kcsan" ;;
esac
case $(uname -m) in
x86_64) ;;
*) die "only x86_64 machines for now" ;;
esac

PRISM_APT_OPTIONS=${PRISM_APT_OPTIONS-$(apt_host_options)}
export PRISM_APT_OPTIONS
enter_toolroot "$0" "$@"

. "$PRISM_SRC/scripts/archive.sh"
. "$PRISM_SRC/scripts/kernel-pick.sh"
# shellcheck source=/dev/null
. "$PRISM_SRC/scripts/kernel-$kind.sh"

pick_kernel "$series"
case $flavour in
cloud | rt) release=${release%-amd64}-$flavour-amd64 ;;
esac
dir=$(kernel_dir)
make_here "$dir" make_kernel
echo "$dir"
