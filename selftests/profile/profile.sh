#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# profile.sh: which stage of a packet's way takes how many instructions, without
# PRISM and in its modes: tables, and build/profile/profile.json. From the
# environment:
#   MODES=A,B  the modes (sync)
#   OUT=DIR    instead of build/profile
#   KEEP=1     leave what was recorded there
# profile.sh docs: makes what Documentation/profile.rst shows.

. "$(dirname "$0")/../../scripts/lib.sh"

here=$PRISM_SRC/selftests/profile
share=$PRISM_SRC/build/share-profile
tool=$PRISM_SRC/build/profile-tool/release
packets=200
cd "$PRISM_SRC"

build() {
	scripts/in-toolroot.sh cargo build --quiet --release --locked --workspace \
		--manifest-path "$here/Cargo.toml" --target-dir "${tool%/*}" \
		--config "$here/.cargo/config.toml"
}

# stage: what the guest gets.
stage() {
	local prism simnic

	prism=$(scripts/build.sh stock) && simnic=$(scripts/build.sh stock simnic) || return
	rm -rf "$share"
	mkdir -p "$share/bin"
	cp "$prism" "$share/prism.ko"
	cp "$simnic" "$share/simnic.ko"
	cp -r "$here/guest" selftests/lib{,.sh} "$share/"
	cp selftests/bench/guest/topology.sh "$share/guest/"
	cp "$tool/mark" "$share/bin/"
}

# record: has a guest write trace and guest.txt.
record() {
	qemu/run.sh --icount --net none --timeout 600 --share "$share" \
		--qemu "-plugin $tool/librecorder.so,out=$out/trace" \
		--cmd "exec bash /prism/guest/profile.sh $packets ${MODES//,/ }" >"$out/guest.txt" ||
		{ grep '^error' "$out/guest.txt" >&2 || :; die "the guest failed"; }
}

case ${1-run} in
run) ;;
docs)
	docs=Documentation/profile
	modes=sync,express,express-isolated,express-bulk
	{
		printf '%s\n' "# SPDX-License-Identifier: GPL-2.0" "$ make profile MODES=$modes"
		MODES=$modes OUT=build/profile-docs "$0" | grep -v '^results:'
	} >build/profile.txt
	mkdir -p $docs
	exec mv build/profile.txt $docs/
	;;
*) die "usage: profile.sh [run | docs]" ;;
esac

unset KDIR
MODES=${MODES:-sync}
scripts/toolroot.sh >/dev/null
kernel=$(scripts/kernel.sh stock)
scripts/image.sh test >/dev/null
mkdir -p build/log "${OUT:=build/profile}"
out=$(cd "$OUT" && pwd)
(build && stage) 2>build/log/profile-build.log ||
	{ cat build/log/profile-build.log >&2; die "the profile does not build"; }
say "recording $packets packets in each mode"
PRISM_BIND=$out record
PRISM_BIND=$out scripts/in-toolroot.sh "$tool/profile" \
	--trace "$out/trace" --guest "$out/guest.txt" --json "$out/profile.json" \
	--about "kernel=$(cat "$kernel/release")" \
	--about "module=$(scripts/in-toolroot.sh modinfo -F version "$share/prism.ko")" \
	--about "commit=$(this_commit)"
# They are large, and of no use any more.
[ -n "${KEEP-}" ] || rm "$out/trace" "$out/guest.txt"
echo "results: $OUT/profile.json"
