#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# test.sh [host] [stock] [debug]: run these tests (all), and end with one line
# of sums. TEST_ONLY="NAME..." runs only these files of the guest's tests,
# TEST_TIMEOUT is the limit for a guest, in seconds.

. "$(dirname "$0")/lib.sh"

cd "$PRISM_SRC"
[ $# -gt 0 ] || set -- host stock debug
mkdir -p build
sums=build/.sums.$$
logs=build/log
: >"$sums"
trap 'rm -f "$sums"' EXIT
trap 'exit 130' INT
mkdir -p "$logs"

count() { echo "$*" >>"$sums"; }

# Rust's test harness says "test result: ok. 5 passed; 0 failed; 1 ignored; ..."
host_tests() {
	local rc=0 log=$logs/host.log

	scripts/in-toolroot.sh cargo test --manifest-path selftests/host/Cargo.toml --locked \
		2>&1 | tee "$log" || rc=$?
	awk '/^test result:/ { p += $4; f += $6; s += $8; n++ }
		END { print p + 0, f + 0, s + 0; exit !(n && p) }' "$log" >>"$sums" ||
		{ echo "not ok host: no test ran"; count 0 1 0; return; }
	[ $rc = 0 ] || grep -q '^test result: FAILED' "$log" ||
		{ echo "not ok host: cargo failed"; count 0 1 0; }
}

# What a guest gets as /prism.
stage() {
	local share=build/share-$1 ko

	ko=$(scripts/build.sh "$1") || return
	rm -rf "$share"
	mkdir -p "$share"
	cp "$ko" "$share/prism.ko"
	tar -c --exclude=target --exclude='./selftests/host' ./selftests | tar -x -C "$share"
	echo "$PRISM_SRC/$share"
}

guest_tests() {
	local kernel=$1 share rc=0

	share=$(stage "$kernel") || { echo "not ok $kernel: the module does not build"; count 0 1 0; return; }
	say "tests in a guest on the $kernel kernel"
	qemu/run.sh --kernel "$kernel" --share "$share" --timeout "${TEST_TIMEOUT:-1200}" \
		--log "$logs/console-$kernel.log" \
		--cmd "exec /prism/selftests/run.sh ${TEST_ONLY-}" |
		awk -v sum="$sums" -f scripts/ktap.awk || rc=$?
	# The guest's own verdict: leaks, and complaints of the kernel.
	if [ $rc != 0 ]; then
		echo "not ok $kernel: the guest ended with status $rc"
		[ "$(tail -n 1 "$sums" | cut -d' ' -f2)" != 0 ] || count 0 1 0
	fi
}

for part; do
	case $part in
	host) host_tests ;;
	stock | debug) guest_tests "$part" ;;
	*) die "usage: test.sh [host] [stock] [debug]" ;;
	esac
done

awk '{ p += $1; f += $2; s += $3 }
	END { printf "%d passed, %d failed, %d skipped\n", p, f, s; exit !(p && !f) }' "$sums"
