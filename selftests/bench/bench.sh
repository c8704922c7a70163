#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# bench.sh: measures PRISM beside its peers, in virtual time, and writes results,
# tables and plots to build/bench. From the environment:
#   SCENARIO=NAME  only that one of scenarios/
#   PEERS=A,B      only these
#   OUT=DIR        instead of build/bench
# bench.sh compare OLD [NEW]: what changed from one results.json to another
# (build/bench/results.json); fails where a figure got worse.
# bench.sh check: measures scenario `quick` and compares with quick.json, which
# bench.sh update makes anew; its commit says why.
# bench.sh docs: makes what Documentation/benchmarks.rst shows.

. "$(dirname "$0")/../../scripts/lib.sh"

here=$PRISM_SRC/selftests/bench
cd "$PRISM_SRC"
# Static: built in the tool root, it runs outside.
bench=build/bench-tool/x86_64-unknown-linux-gnu/release/bench

build() {
	scripts/in-toolroot.sh cargo build --quiet --release --locked \
		--manifest-path "$here/Cargo.toml" --target-dir "$PRISM_SRC/build/bench-tool" \
		--config "$here/.cargo/config.toml"
}

# stage DIR: what the guest gets.
stage() {
	rm -rf "$1"
	mkdir -p "$1"
	cp "$(scripts/build.sh stock)" "$1/prism.ko"
	cp "$(scripts/build.sh stock simnic)" "$1/simnic.ko"
	# Names of directories of this machine.
	scripts/in-toolroot.sh objcopy --strip-unneeded "$1/prism.ko"
	scripts/in-toolroot.sh objcopy --strip-unneeded "$1/simnic.ko"
	cp -r "$here/guest" selftests/lib{,.sh} "$1/"
	selftests/build.sh "$1/bin"
}

case ${1-run} in
compare)
	[ $# -ge 2 ] || die "compare what? OLD=FILE"
	build
	exec "$bench" compare "$2" "${3:-build/bench/results.json}"
	;;
run) ;;
docs)
	docs=Documentation/benchmarks
	{
		printf '%s\n' "# SPDX-License-Identifier: GPL-2.0" "$ make bench SCENARIO=load-sweep"
		SCENARIO=load-sweep OUT=build/bench-docs "$0" | grep -v '^results:'
	} >build/load-sweep.txt
	cp build/bench-docs/load-sweep-{p50,p99,goodput,distribution}.svg $docs/
	exec mv build/load-sweep.txt $docs/
	;;
check | update)
	[ "${KERNEL:-7.3}" = 7.3 ] || { say "quick.json is of kernel 7.3"; exit 4; }
	SCENARIO=quick OUT=build/bench-quick "$0"
	[ "$1" = check ] || exec cp build/bench-quick/results.json "$here/quick.json"
	exec "$bench" compare --all "$here/quick.json" build/bench-quick/results.json
	;;
*) die "usage: bench.sh [run | compare OLD [NEW] | check | update | docs]" ;;
esac

unset KDIR
scripts/toolroot.sh >/dev/null
kernel=$(scripts/kernel.sh stock)
scripts/image.sh test >/dev/null
mkdir -p build/log
stage "$PRISM_SRC/build/share-bench" 2>build/log/bench-build.log ||
	{ cat build/log/bench-build.log >&2; die "the bench does not build"; }
build
"$bench" run --scenarios "$here/scenarios" ${SCENARIO:+--scenario "$SCENARIO"} ${PEERS:+--peers "$PEERS"} \
	--out "${OUT:-build/bench}" --share "$PRISM_SRC/build/share-bench" --guest "$PRISM_SRC/qemu/run.sh" \
	--about "kernel=$(cat "$kernel/release")" \
	--about "module=$(scripts/in-toolroot.sh modinfo -F version build/share-bench/prism.ko)" \
	--about "commit=$(git describe --always --dirty 2>/dev/null || echo unknown)"
