#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# fuzz.sh [parser | rules] [SECONDS | runs=N]: fuzz the packet parser and the language of rules, or one
# of them, each for that long (60 s).
#
# Needs clang, whose libFuzzer is of rustc's LLVM version: run it in the tool root,
#
#	scripts/in-toolroot.sh selftests/host/fuzz.sh 60
#
# Starts from fuzz/corpus; what it finds on the way is kept in target/fuzz/found, and an input that
# fails in target/fuzz/failed-TARGET-*. `fuzz.sh TARGET FILE...` runs such inputs again.

set -eu

cd "$(dirname "$0")"
command -v clang >/dev/null || {
	echo "fuzz.sh: no clang; run it as scripts/in-toolroot.sh selftests/host/fuzz.sh" >&2
	exit 1
}

# The flags of cargo-fuzz, less the address sanitizer: the code is safe Rust.
coverage="-C llvm-args=-sanitizer-coverage"
RUSTFLAGS="-C passes=sancov-module -C codegen-units=1 -C debug-assertions=on"
RUSTFLAGS="$RUSTFLAGS $coverage-level=4 $coverage-inline-8bit-counters"
RUSTFLAGS="$RUSTFLAGS $coverage-pc-table $coverage-trace-compares"
RUSTFLAGS="$RUSTFLAGS -C linker=clang -C link-arg=-fsanitize=fuzzer"
export RUSTFLAGS

targets="parser rules"
case ${1-} in
parser | rules)
	targets=$1
	shift
	;;
esac

cargo build --quiet --locked --release --features fuzz --bins --target-dir target/fuzz
fuzz=target/fuzz/release/fuzz

if [ $# -gt 0 ] && [ -f "$1" ]; then
	exec "$fuzz-$targets" "$@"
fi
case ${1-60} in
runs=*) limit=-$1 ;;
*) limit=-max_total_time=${1-60} ;;
esac

for target in $targets; do
	[ "$target" = parser ] && longest=256 || longest=512
	mkdir -p "target/fuzz/found/$target"
	"$fuzz-$target" "$limit" -max_len="$longest" -timeout=5 -print_final_stats=1 -verbosity=1 \
		-dict="fuzz/$target.dict" -artifact_prefix="target/fuzz/failed-$target-" \
		"target/fuzz/found/$target" "fuzz/corpus/$target"
done
