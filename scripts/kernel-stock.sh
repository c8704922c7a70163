# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154
#
# The distribution's kernel, and a tree to build Rust modules for it. Part of
# kernel.sh.

kernel_dir() { echo "$PRISM_CACHE/kernel/stock-$release-$(declare -f prepare_stock | hash_of)"; }

make_kernel() {
	local dir=$1 source

	progress "fetching the kernel $release (130 MB)" "$log/stock-fetch.log" fetch_stock "$dir"
	source=$(kernel_source)
	progress "preparing $release for Rust modules (90 s on two cores)" "$log/stock-prepare.log" \
		prepare_stock "$dir" "$source"
}

fetch_stock() {
	local dir=$1 part deb

	# The image package of these kernels is empty and depends on three others.
	for part in binary modules base headers; do
		printf 'linux-%s-%s=%s\n' $part "$release" "$version"
	done >"$dir/packages"
	mapfile -t packages <"$dir/packages"
	archive_get "$dir/deb" "${packages[@]}"
	for deb in "$dir"/deb/*.deb; do
		dpkg-deb -x "$deb" "$dir/root"
	done
	mkdir -p "$dir/modules/lib/modules" "$dir/build"
	mv "$dir/root/usr/lib/modules/$release" "$dir/modules/lib/modules/"
	for part in vmlinuz System.map; do
		mv "$dir/modules/lib/modules/$release/$part" "$dir/$part"
	done
	rm -f "$dir/modules/lib/modules/$release/"{build,source}
	cp "$dir/root/usr/src/linux-headers-$release/.config" "$dir/config"
	cp "$dir/root/usr/src/linux-headers-$release/"{.config,Module.symvers} "$dir/build/"
	rm -rf "$dir/root" "$dir/deb" "$dir/packages"
	depmod -b "$dir/modules" "$release"
	echo "$release" >"$dir/release"
	echo "CC=x86_64-linux-gnu-gcc-14" >"$dir/make.args"
}

prepare_stock() {
	local dir=$1 source=$2

	# The paths of generic functions get into modules that use them.
	make -C "$source" O="$dir/build" KERNELRELEASE="$release" CC=x86_64-linux-gnu-gcc-14 \
		KRUSTFLAGS="--remap-path-prefix=$source/=" -j"$(nproc)" prepare modules_prepare </dev/null
	diff <(grep '^CONFIG_' "$dir/config") <(grep '^CONFIG_' "$dir/build/.config") ||
		die "the compilers here do not give the configuration of $release"
	[ "$(cat "$dir/build/include/config/kernel.release")" = "$release" ]
}
