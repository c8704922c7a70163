# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154
#
# The small debug kernels. Part of kernel.sh.

# fragment: what the configuration has to have. That of another flavour than debug has
# lines in place of some of debug's.
fragment() {
	local base=$PRISM_SRC/qemu/debug.config own=$PRISM_SRC/qemu/$flavour.config

	if [ "$flavour" = debug ]; then
		words <"$base"
		return
	fi
	words <"$base" | grep -vE "^($(grep -oE 'CONFIG_[A-Z0-9_]+' "$own" | sort -u | paste -sd '|'))="
	words <"$own"
}

kernel_dir() { echo "$PRISM_CACHE/kernel/$flavour-${release%%+*}-$(fragment | hash_of)"; }

make_kernel() {
	local dir=$1 source

	source=$(kernel_source)
	progress "building the $flavour kernel ${release%%+*} (up to 25 minutes on two cores, once)" \
		"$log/${dir##*/}.log" build_debug "$dir" "$source"
}

build_debug() {
	local dir=$1 source=$2 rel
	local make=(make -C "$source" O="$dir/build" LLVM=1 -j"${JOBS:-$(nproc)}")

	mkdir -p "$dir/build"
	fragment >"$dir/fragment"
	KCONFIG_ALLCONFIG=$dir/fragment "${make[@]}" allnoconfig
	check_fragment "$dir/build/.config"
	"${make[@]}" </dev/null
	rel=$(cat "$dir/build/include/config/kernel.release")
	"${make[@]}" INSTALL_MOD_PATH="$dir/modules" modules_install
	rm -f "$dir/modules/lib/modules/$rel/"{build,source}
	cp "$dir/build/arch/x86/boot/bzImage" "$dir/vmlinuz"
	cp "$dir/build/System.map" "$dir/System.map"
	cp "$dir/build/.config" "$dir/config"
	echo "$rel" >"$dir/release"
	echo "LLVM=1" >"$dir/make.args"
	# A module build wants the tree, not the objects of the kernel.
	find "$dir/build" -name '*.o' ! -path '*/scripts/*' ! -path '*/tools/*' -delete
}

# Every line of the fragment must have made it into the configuration.
check_fragment() {
	local missing

	missing=$(fragment | grep -vxF -f "$1" || :)
	[ -z "$missing" ] || die "not in the configuration:" "$missing"
}
