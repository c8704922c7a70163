#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# test.sh [host] [stock] [debug] [latency]: run these tests (all), and end with
# one line of sums. The guests run at once. TEST_ONLY="NAME..." runs only these
# files of the guest's tests; TEST_TIMEOUT is the limit for a guest and
# TEST_LIMIT for one file, in seconds; PRISM_THOROUGH=1 does more of everything.
# Logs are in build/log.

. "$(dirname "$0")/lib.sh"

cd "$PRISM_SRC"
[ $# -gt 0 ] || set -- host stock debug latency
logs=build/log
mkdir -p "$logs"
rm -f "$logs"/*.sums
# Only what still runs: the number of a process that ended is soon another's.
# shellcheck disable=SC2154
trap 'trap - EXIT; for pid in $(jobs -pr); do kill "$pid"; done' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# one NAME COMMAND...: a test that is a command. Its output only if it fails.
one() {
	local name=$1 log=$logs/${1//\//-}.log
	shift

	if "$@" >"$log" 2>&1; then
		echo "ok $name"
		echo 1 0 0 >>"$logs/host.sums"
	else
		tail -n 60 "$log"
		echo "not ok $name"
		echo 0 1 0 >>"$logs/host.sums"
	fi
}

# Rust's test harness says "test result: ok. 5 passed; 0 failed; 1 ignored; ..."
# A crate that ends otherwise did not compile, or was stopped.
cargo_tests() {
	local crate=$1 log=$logs/cargo-${1##*/}.log rc=0

	scripts/in-toolroot.sh cargo test --no-fail-fast --locked --manifest-path "$crate/Cargo.toml" \
		>"$log" 2>&1 || rc=$?
	awk -v rc=$rc '
		/^test result:/ { p += $4; f += $6; s += $8 }
		END { if (rc && !f) f = 1; print p + 0, f + 0, s + 0 }' "$log" >>"$logs/host.sums"
	if [ $rc = 0 ]; then
		echo "ok $crate: $(tail -n 1 "$logs/host.sums" | cut -d' ' -f1) tests"
	else
		cat "$log"
		echo "not ok $crate"
	fi
}

host_tests() {
	local crate

	say "tests on the host"
	while read -r crate; do
		cargo_tests "$(dirname "$crate")"
	done < <(find selftests tools -name target -prune -o -name Cargo.toml -print 2>/dev/null | sort)
	one no-panic scripts/in-toolroot.sh selftests/host/no-panic.sh
	one fuzz scripts/in-toolroot.sh selftests/host/fuzz.sh "${TEST_FUZZ:-20}"
}

# What a guest gets as /prism.
stage() {
	local share=$PRISM_SRC/build/share-$1 ko

	ko=$(scripts/build.sh "${1/latency/stock}") || return
	rm -rf "$share"
	mkdir -p "$share"
	cp "$ko" "$share/prism.ko"
	tar -c --exclude=target --exclude=selftests/host --exclude=selftests/demo selftests |
		tar -x -C "$share"
	selftests/build.sh "$share/selftests/bin"
}

# What a guest does. Its own verdict is on leaks and the kernel's complaints,
# and counts where no test failed.
guest_tests() {
	local guest=$1 kernel=$1 rc=0
	local args=(--share "$PRISM_SRC/build/share-$guest" --timeout "${TEST_TIMEOUT:-2700}"
		--log "$logs/console-$guest.log")

	# Instructions are counted in virtual time, which is as good in a busy host.
	if [ "$guest" = latency ]; then
		kernel=stock
		args+=(--icount --cmd "exec bash /prism/selftests/latency/run.sh")
	else
		args+=(--net "virtio,e1000e,rtl8139" --append "kunit.enable=1 kunit.autorun=1"
			--cmd "PRISM_THOROUGH=${PRISM_THOROUGH-} TEST_LIMIT=${TEST_LIMIT:-600} exec bash /prism/selftests/run.sh ${TEST_ONLY-}")
	fi
	args+=(--kernel "$kernel")

	qemu/run.sh "${args[@]}" | awk -v sum="$logs/$guest.sums" -f scripts/ktap.awk || rc=$?
	[ $rc != 0 ] || return 0
	echo "not ok $guest: the guest ended with status $rc"
	[ "$(cut -d' ' -f2 "$logs/$guest.sums")" != 0 ] || echo 0 1 0 >>"$logs/$guest.sums"
}

start_guest() {
	if ! stage "$1" >"$logs/build-$1.log" 2>&1; then
		cat "$logs/build-$1.log"
		echo "not ok $1: the module or what the tests need does not build"
		echo 0 1 0 >"$logs/$1.sums"
		return
	fi
	guest_tests "$1" >"$logs/$1.log" 2>&1 &
	names+=("$1")
}

# The last results so far, from time to time, until all guests are done.
watch_guests() {
	local name last='' now

	while [ -n "$(jobs -pr)" ]; do
		sleep 1
		[ $((SECONDS % 15)) = 0 ] || continue
		now=
		for name in "${names[@]}"; do
			now+=" $name: $(grep -cE '^(not )?ok' "$logs/$name.log" || :) done"
		done
		[ "$now" = "$last" ] || say "guests, $SECONDS s:$now"
		last=$now
	done
}

names=()
for part; do
	case $part in
	host) host_tests ;;
	stock | debug | latency) start_guest "$part" ;;
	*) die "usage: test.sh [host] [stock] [debug] [latency]" ;;
	esac
done
if [ ${#names[@]} -gt 0 ]; then
	watch_guests
	for name in "${names[@]}"; do
		echo "# guest with the $name kernel"
		cat "$logs/$name.log"
	done
fi

# A part that left no sum failed.
for part; do
	[ -s "$logs/$part.sums" ] || echo 0 1 0 >"$logs/$part.sums"
done
cat "$logs"/*.sums | awk '{ p += $1; f += $2; s += $3 }
	END { printf "%d passed, %d failed, %d skipped\n", p, f, s; exit !(p && !f) }'
