#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# kdir.sh: what `make KDIR=` says of trees that the module cannot be built for.
# Each has what the others have, but for one thing.

cd "$(dirname "$0")/../.." || exit
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
failures=0

# tree LINE...: a tree that looks complete, with these lines in its .config.
tree() {
	local option

	rm -rf "${tree:?}"/*
	mkdir -p "$tree/include/config" "$tree/rust"
	echo 7.3.4-fake >"$tree/include/config/kernel.release"
	for option in MODULES RUST SYSFS CONFIGFS_FS NET INET IPV6 NETFILTER NETFILTER_INGRESS \
		NETFILTER_EGRESS BRIDGE VETH VXLAN; do
		echo "CONFIG_$option=y"
	done >"$tree/.config"
	echo "CONFIG_RUSTC_VERSION_TEXT=\"$(rustc --version)\"" >>"$tree/.config"
	touch "$tree/rust/libkernel.rmeta" "$tree/Module.symvers"
}

# refused WHAT KDIR WORDS: make fails for KDIR and says WORDS.
refused() {
	local out

	if out=$(make KDIR="$2" 2>&1) || ! grep -qF -- "$3" <<<"$out"; then
		echo "not ok $1: expected '$3', got:"
		echo "$out"
		failures=$((failures + 1))
	else
		echo "ok $1"
	fi
}

refused "no directory" "$tree/nothing" "KDIR=$tree/nothing: no such directory"
tree
rm "$tree/.config"
refused "no configuration" "$tree" "not a prepared kernel tree"
tree
sed -i /VXLAN/d "$tree/.config"
refused "an option is missing" "$tree" "lacks CONFIG_VXLAN"
tree
sed -i /CONFIG_RUST=/d "$tree/.config"
refused "no Rust" "$tree" "lacks CONFIG_RUST"
tree
rm "$tree/rust/libkernel.rmeta"
refused "no metadata" "$tree" "no Rust metadata"
tree
sed -i 's/^CONFIG_RUSTC_VERSION_TEXT=.*/CONFIG_RUSTC_VERSION_TEXT="rustc 1.0.0"/' "$tree/.config"
refused "another compiler" "$tree" "built by another rustc: 'rustc 1.0.0', here: '$(rustc --version)'"
tree
rm "$tree/Module.symvers"
refused "no symbols" "$tree" "no Module.symvers"
[ $failures = 0 ]
