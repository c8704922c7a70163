#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# bench.sh: measures PRISM beside its peers, in virtual time, and writes results,
# tables and plots to build/bench. From the environment:
#   SCENARIO=NAME  only that one of scenarios/
#   PEERS=A,B      only these
#   OUT=DIR        instead of build/bench
#   MODULE=FILE    instead of the prism.ko of these sources
#   GUESTS=N       so many at once, in place of one for each processor
# bench.sh compare OLD [NEW]: what changed from one results.json to another
# (build/bench/results.json); fails where a figure got worse.
# bench.sh bounds [NEW]: which of the bounds in the file of that name hold in
# build/bench/results.json; fails where one that was measured does not.
# bench.sh check: measures scenario `quick` and compares with quick.json, which
# bench.sh update makes anew; its commit says why.
# bench.sh slowed: fails unless that comparison catches a module that spends 1,000
# instructions more on each high packet.
# bench.sh docs: makes what Documentation/benchmarks.rst shows.

. "$(dirname "$0")/../../scripts/lib.sh"

. "$PRISM_SRC/selftests/bench/tool.sh"

cd "$PRISM_SRC"

# stage DIR: what the guest gets.
stage() {
	local prism=${MODULE-} simnic

	[ -n "$prism" ] || prism=$(scripts/build.sh stock) || return
	simnic=$(scripts/build.sh stock simnic) || return
	rm -rf "$1"
	mkdir -p "$1"
	cp "$prism" "$1/prism.ko"
	cp "$simnic" "$1/simnic.ko"
	# Names of directories of this machine, and a number made of them.
	scripts/in-toolroot.sh objcopy --strip-unneeded -R .note.gnu.build-id "$1/prism.ko"
	scripts/in-toolroot.sh objcopy --strip-unneeded -R .note.gnu.build-id "$1/simnic.ko"
	cp -r "$here/guest" selftests/lib{,.sh} "$1/"
	selftests/build.sh "$1/bin"
}

# slowed_module: builds it from a copy of the sources, prints where it is.
slowed_module() {
	local copy=$PRISM_SRC/build/slowed path=prism/express.rs

	rm -rf "$copy"
	mkdir -p "$copy"
	cp -r Kbuild rust prism scripts "$copy/"
	# Four instructions each time.
	sed -i 's|^\( *\)frame\.run_to_completion(.*|\1for n in 0..250 {\n\1    core::hint::black_box(n);\n\1}\n&|' \
		"$copy/$path"
	! cmp -s $path "$copy/$path" || die "$path has changed: there is no place to slow it"
	"$copy/scripts/build.sh" stock >/dev/null
	echo "$copy/prism.ko"
}

# docs OUTPUT DIR: the tables of a run, a file for each scenario, and what was run.
docs() {
	awk -v dir="$2" '
		function begin(name) {
			file = dir "/" name ".txt"
			print "# SPDX-License-Identifier: GPL-2.0" >file
		}
		BEGIN { begin("about"); print "$ make bench" >file }
		/^$/ { file = ""; next }
		/^results:/ { next }
		!file { begin(substr($1, 1, length($1) - 1)) }
		{ print >file }' "$1"
}

# The kept figures are of one kernel.
has_kept_figures() {
	[ "${KERNEL:-7.3}" = 7.3 ] || { say "quick.json is of kernel 7.3"; exit 4; }
}

case ${1-run} in
compare)
	[ $# -ge 2 ] || die "compare what? OLD=FILE"
	build
	exec "$bench" compare "$2" "${3:-build/bench/results.json}"
	;;
bounds)
	build
	exec "$bench" bounds "$here/bounds" "${2:-build/bench/results.json}"
	;;
run) ;;
docs)
	mkdir -p build
	OUT=build/bench-docs "$0" >build/bench-docs.txt
	docs build/bench-docs.txt Documentation/benchmarks
	{
		printf '%s\n' "# SPDX-License-Identifier: GPL-2.0" "$ make bench-bounds"
		"$0" bounds build/bench-docs/results.json || :
	} >Documentation/benchmarks/bounds.txt
	cp build/bench-docs/load-sweep-{p50,p99,goodput,distribution}.svg Documentation/benchmarks/
	exit
	;;
check | update)
	has_kept_figures
	SCENARIO=quick OUT=build/bench-quick "$0"
	[ "$1" = check ] || exec cp build/bench-quick/results.json "$here/quick.json"
	exec "$bench" compare --all "$here/quick.json" build/bench-quick/results.json
	;;
slowed)
	has_kept_figures
	MODULE=$(slowed_module)
	export MODULE
	SCENARIO=quick PEERS=sync OUT=build/bench-slowed "$0"
	! "$bench" compare "$here/quick.json" build/bench-slowed/results.json >build/slowed.txt ||
		die "a module slowed by 1,000 instructions is not caught"
	cat build/slowed.txt
	grep -q '^WORSE .*p50_ns: quick at 0 %, sync, flow high$' build/slowed.txt ||
		die "not its median when idle"
	exit
	;;
*) die "usage: bench.sh [run | compare OLD [NEW] | bounds [NEW] | check | update | slowed | docs]" ;;
esac

unset KDIR
scripts/toolroot.sh >/dev/null
kernel=$(scripts/kernel.sh stock)
scripts/image.sh test >/dev/null
mkdir -p build/log
stage "$PRISM_SRC/build/share-bench" 2>build/log/bench-build.log ||
	{ cat build/log/bench-build.log >&2; die "the bench does not build"; }
build
about "$kernel" build/share-bench/prism.ko
"$bench" run --scenarios "$here/scenarios" ${SCENARIO:+--scenario "$SCENARIO"} ${PEERS:+--peers "$PEERS"} ${GUESTS:+--jobs "$GUESTS"} \
	--out "${OUT:-build/bench}" --share "$PRISM_SRC/build/share-bench" --guest "$PRISM_SRC/qemu/run.sh" "${about[@]}"
