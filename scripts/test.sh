#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# test.sh [PART...]: run these tests, and end with one line of sums. Parts are
#   host     tests of the pure code
#   models   spin's, of the gate, the stages and a packet in flight
#   quick    the stock kernel, less what takes longest, and some on the debug kernel
# and, where none is named, these two;
#   slow     what quick leaves out on the stock kernel
#   stock    quick and slow on the stock kernel
#   debug    a kernel with KASAN, lockdep and kmemleak
#   latency  instructions of a packet's way, and a minute of overload
#   bench    a scenario of the bench beside figures that are kept
#   more     slow, models, latency, bench, and much of debug
#   matrix   host, models, stock, debug with what takes longest there, latency and bench, and
#   7.2      the stock kernel of that series
#   cloud    the distribution's kernel for virtual machines
#   7.2-cloud  that of the other series
#   rt       its kernel with PREEMPT_RT
#   cpus     the stock kernel with eight CPUs of 64 that may be there
#   kcsan    a kernel that finds data races, and traps where C is not defined
# and, in none of these,
#   soak     everything changes for SOAK minutes (30), after 1,000 cycles of the module
#            and of devices and 10,000 of rules, and after each single call has failed that
#            the control plane makes; both kernels, with four CPUs
#   deb      the Debian packages on a clean system, across an upgrade of its kernel; as root
#   docker   two guests with the Docker engine: the latency of a service that has a label, which
#            is to be three times lower than vanilla's, and checks of Docker's and other networks
# The tests for the debug kernel are shared by two guests, of which one has a single
# CPU, and as many guests run at once as the machine has CPUs: an emulated CPU that has
# to wait lets the others spin. Those of the part soak run one by one.
# TEST_ONLY="NAME..." runs only these files of the guest's tests; TEST_TIMEOUT is
# the limit for a guest and TEST_LIMIT for one file, in seconds; no file is begun, and
# counts as skipped, at TEST_DEADLINE (seconds since 1970) and later. PRISM_THOROUGH=1
# does more of everything, PRISM_BRIEF=1 less, as the matrix does on the kernels that
# differ from others in little. Logs are in build/log.

. "$(dirname "$0")/lib.sh"

cd "$PRISM_SRC"
# Guests have kernels of their own.
unset KDIR
parts=(host models quick slow stock debug latency bench 7.2 cloud 7.2-cloud rt cpus kcsan soak deb docker)
is_matrix='' is_more=''
case $* in
'') set -- host quick ;;
more)
	is_more=1
	set -- models slow debug latency bench
	;;
matrix)
	is_matrix=1
	set -- host models stock debug latency bench 7.2 cloud 7.2-cloud rt cpus kcsan
	;;
esac
for part; do
	[[ " ${parts[*]} " == *" $part "* ]] || die "$part is not one of: ${parts[*]}; or more or matrix alone"
done
logs=build/log
mkdir -p "$logs"
rm -f "$logs"/*.sums "$logs"/build-*.log
# Only what still runs: the number of a process that ended is soon another's.
# shellcheck disable=SC2154
trap 'trap - EXIT; for pid in $(jobs -pr); do kill "$pid"; done' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# time_left: seconds in which a test may begin, where there is a deadline.
time_left() {
	[ -z "${TEST_DEADLINE-}" ] || echo $((TEST_DEADLINE > EPOCHSECONDS ? TEST_DEADLINE - EPOCHSECONDS : 0))
}

# one NAME COMMAND...: a test that is a command, which skips itself with status 4.
# Its output only if it fails.
one() {
	local name=$1 log=$logs/${1//\//-}.log rc=0
	shift

	if [ "$(time_left)" = 0 ]; then
		echo "no time left" >"$log"
		rc=4
	else
		"$@" >"$log" 2>&1 || rc=$?
	fi
	case $rc in
	0)
		echo "ok $name"
		echo 1 0 0 >>"$logs/host.sums"
		;;
	4)
		echo "ok $name # SKIP $(tail -n 1 "$log")"
		echo 0 0 1 >>"$logs/host.sums"
		;;
	*)
		tail -n 60 "$log"
		echo "not ok $name"
		echo 0 1 0 >>"$logs/host.sums"
		;;
	esac
}

# ktap NAME COMMAND...: what prints KTAP, and its sums. That it ends badly counts where no
# test failed.
ktap() {
	local name=$1 rc=0
	shift

	"$@" | awk -v sum="$logs/$name.sums" -f scripts/ktap.awk || rc=$?
	[ $rc != 0 ] || return 0
	echo "not ok $name: it ended with status $rc"
	[ "$(cut -d' ' -f2 "$logs/$name.sums")" != 0 ] || echo 0 1 0 >>"$logs/$name.sums"
	return $rc
}

# by_itself PART COMMAND...: what builds and boots guests of its own, and prints KTAP.
by_itself() {
	local part=$1

	echo "# $part"
	ktap "$@" 2>"$logs/$part.err" || tail -n 20 "$logs/$part.err" | sed 's/^/# /'
}

# Rust's test harness says "test result: ok. 5 passed; 0 failed; 1 ignored; ..."
# A crate that ends otherwise did not compile, or was stopped.
# cargo_tests CRATE ARG...
cargo_tests() {
	local crate=$1 log=$logs/cargo-${1##*/}.log rc=0

	scripts/in-toolroot.sh cargo test --no-fail-fast --locked --manifest-path "$crate/Cargo.toml" \
		"${@:2}" >"$log" 2>&1 || rc=$?
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
	for crate in "${crates[@]}"; do
		cargo_tests "$crate"
	done
}

# beside_guests PART...: what of these parts has a single thread: the models, the part host
# but for cargo's tests, and the bench, whose virtual time is as good in a busy host.
beside_guests() {
	[[ " $* " != *" models "* ]] || one models scripts/in-toolroot.sh selftests/model/spin.sh
	[[ " $* " != *" host "* ]] || other_host_tests
	[[ " $* " = *" bench "* ]] || return 0
	one bench env GUESTS=1 selftests/bench/bench.sh check
	one bench-slowed env GUESTS=1 selftests/bench/bench.sh slowed
}

# What is not compiled by cargo, or little of it.
other_host_tests() {
	one no-panic scripts/in-toolroot.sh selftests/host/no-panic.sh
	one units selftests/host/units.sh
	one old-breakpoint selftests/host/old-breakpoint.sh
	one kdir scripts/in-toolroot.sh selftests/host/kdir.sh
	one dependencies scripts/in-toolroot.sh selftests/host/dependencies.sh
	one fuzz scripts/in-toolroot.sh selftests/host/fuzz.sh "${TEST_FUZZ:-6}"
}

# The directories that have a Cargo.lock.
crates() { find selftests tools -name target -prune -o -name Cargo.lock -printf '%h\n' | sort; }

# with_kernel KERNEL COMMAND...: with the series that it is of.
with_kernel() {
	local series=${KERNEL-}

	[[ $1 != 7.2* ]] || series=7.2
	shift
	KERNEL=$series "$@"
}

# flavour_of KERNEL
flavour_of() { [ "$1" = 7.2 ] && echo stock || echo "${1#7.2-}"; }

# kernel_dir KERNEL: where it is.
kernel_dir() { with_kernel "$1" scripts/kernel.sh "$(flavour_of "$1")"; }

# build KERNEL [simnic|failable]: where the module is.
build() { with_kernel "$1" scripts/build.sh "$(flavour_of "$1")" "${@:2}"; }

# stage KERNEL: what guests with that kernel get as /prism.
stage() {
	local share=$PRISM_SRC/build/share-$1 ko

	ko=$(build "$1") || return
	rm -rf "$share"
	mkdir -p "$share"
	cp "$ko" "$share/prism.ko"
	ko=$(build "$1" simnic) || return
	cp "$ko" "$share/simnic.ko"
	if grep -q '^CONFIG_FAULT_INJECTION=y' "$(kernel_dir "$1")/config"; then
		ko=$(build "$1" failable) || return
		cp "$ko" "$share/failable.ko"
	fi
	tar -c --exclude=target --exclude=selftests/host --exclude=selftests/model --exclude=selftests/demo --exclude=selftests/deb --exclude=selftests/pair selftests |
		tar -x -C "$share"
	cp -r build/selftests-bin "$share/selftests/bin"
}

# stage_all KERNEL...: what the guests need.
stage_all() {
	local kernel rc=0

	[ $# -gt 0 ] || return 0
	if ! selftests/build.sh "$PRISM_SRC/build/selftests-bin" >"$logs/build-selftests.log" 2>&1; then
		cat "$logs/build-selftests.log"
		echo "not ok selftests: what the tests need does not build"
		return 1
	fi
	for kernel; do
		kernel_dir "$kernel" >/dev/null && scripts/image.sh test >/dev/null &&
			stage "$kernel" >"$logs/build-$kernel.log" 2>&1 && continue
		cat "$logs/build-$kernel.log" 2>/dev/null || :
		echo "not ok $kernel: the kernel or the module does not build"
		rc=1
	done
	return $rc
}

# tests_with [-]WORD...: those that have each of these words in scripts/tests, or have it not.
tests_with() {
	awk -v words="$*" '
		/^#/ { next }
		{
			rest = $0 " "
			sub(/^[^ ]+/, "", rest)
			n = split(words, wanted)
			for (i = 1; i <= n; i++) {
				is_not = sub(/^-/, "", wanted[i])
				if ((index(rest, " " wanted[i] " ") != 0) == is_not)
					next
			}
			print $1
		}' scripts/tests | xargs
}

# all_have_lines: each test that there is has one there, and no other.
all_have_lines() {
	local difference

	difference=$(diff <(tests_with | tr ' ' '\n' | sort) <(basename -s .sh selftests/tests/*.sh | sort)) ||
		die "scripts/tests and selftests/tests differ: $(grep '^[<>]' <<<"$difference" | xargs)"
}

# kernel_of GUEST
kernel_of() {
	case $1 in
	debug*) echo debug ;;
	7.2 | cloud | 7.2-cloud | rt | kcsan) echo "$1" ;;
	*) echo stock ;;
	esac
}

# Seconds of one run of the test soak, in the part of that name.
soak_slice=300

# without TESTS NAME...: TESTS but for those, each as often as it is named.
without() {
	local tests=" $1 " name
	shift

	for name; do
		tests=${tests/ $name / }
	done
	read -r tests <<<"$tests"
	echo "$tests"
}

# functional_tests KERNEL GUEST TESTS ARG...: those in a guest, or in another one for what
# is left where QEMU ends it: twice at most without a test that ended in between.
functional_tests() {
	local kernel=$1 guest=$2 tests=$3 console=$logs/console-$2.log out=$logs/$2.out attempt tries=0 rc ended
	shift 3

	for ((attempt = 1; ; attempt++)); do
		rc=0
		with_kernel "$kernel" qemu/run.sh "$@" \
			--cmd "PRISM_THOROUGH=${PRISM_THOROUGH-} PRISM_BRIEF=${PRISM_BRIEF-} SOAK_SECONDS=${SOAK_SECONDS-} SOAK_SEED=${SOAK_SEED-} TEST_LIMIT=${TEST_LIMIT:-1200} TEST_TIME=$(time_left) exec bash /prism/selftests/run.sh $tests" |
			tee "$out" || rc=$?
		mapfile -t ended < <(sed -nE 's/^(not )?ok [0-9]+ ([a-z0-9_]+).*/\2/p' "$out")
		tries=$((${#ended[@]} > 0 ? 1 : tries + 1))
		[ $rc = 125 ] && [ $tries != 3 ] && awk -f scripts/old-breakpoint.awk "$console" || return $rc
		cp "$console" "${console%.log}-$attempt.log"
		tests=$(without "$tests" "${ended[@]}")
		[ -n "$tests" ] || return $rc
		echo "# started again: QEMU had the kernel run a breakpoint that was gone (${console%.log}-$attempt.log)"
	done
}

# What a guest does. Its own verdict is on leaks and the kernel's complaints,
# and counts where no test failed.
guest_tests() {
	local guest=$1 kernel tests=${TEST_ONLY-} args run slices

	kernel=$(kernel_of "$guest")
	args=(--share "$PRISM_SRC/build/share-$kernel" --timeout "${TEST_TIMEOUT:-3600}"
		--kernel "$(flavour_of "$kernel")" --log "$logs/console-$guest.log")
	# Instructions are counted in virtual time, which is as good in a busy host.
	if [ "$guest" = latency ]; then
		run=(with_kernel "$kernel" qemu/run.sh "${args[@]}"
			--icount --cmd "exec bash /prism/selftests/latency/run.sh")
	else
		case $guest in
		quick) tests=${tests:-$(tests_with -slow)} ;;
		slow) tests=${tests:-$(tests_with slow)} ;;
		debug-quick) tests=${tests:-$(tests_with debug)} ;;
		debug-1) tests=$(tests_with cpus ${is_more:+more}) ;;
		debug-2)
			tests=$(tests_with -cpus ${is_more:+more} ${is_matrix:+-tools -fields})
			args+=(--smp 1)
			;;
		cpus)
			tests=${tests:-$(tests_with cpus -calm)}
			[ -z "$is_matrix" ] || PRISM_BRIEF=1
			args+=(--smp "8,maxcpus=64" --mem 2048)
			;;
		kcsan)
			tests=${tests:-$(tests_with cpus -calm)}
			[ -z "$is_matrix" ] || PRISM_BRIEF=1
			;;
		7.2)
			[ -z "$is_matrix" ] || PRISM_BRIEF=1 tests=${tests:-$(tests_with -tools)}
			;;
		rt)
			[ -z "$is_matrix" ] || PRISM_BRIEF=1 tests=${tests:-$(tests_with -tools -fields)}
			;;
		cloud | 7.2-cloud)
			[ -z "$is_matrix" ] || PRISM_BRIEF=1 tests=${tests:-$(tests_with -tools -slow)}
			;;
		soak | debug-soak)
			# In slices, as QEMU may end a guest at any time.
			slices=$(((${SOAK:-30} * 60 + soak_slice - 1) / soak_slice))
			tests=${tests:-reload lifetimes faults$(printf ' soak%.0s' $(seq $slices))}
			PRISM_THOROUGH=1 SOAK_SECONDS=$soak_slice TEST_LIMIT=7200
			args+=(--smp 4 --timeout $((7200 * 3 + slices * soak_slice * 2)))
			;;
		esac
		args+=(--net "virtio,e1000e,rtl8139" --append "kunit.enable=1 kunit.autorun=0")
		run=(functional_tests "$kernel" "$guest" "${tests:-$(tests_with)}" "${args[@]}")
	fi

	ktap "$guest" "${run[@]}" || :
}

# Runs the guests, as many at once as the machine has room for.
run_guests() {
	local guest slots

	slots=$(nproc)
	# Such a guest has more CPUs than most machines.
	[[ " $* " != *" soak "* ]] || slots=1
	for guest; do
		while [ "$(jobs -pr | wc -l)" -ge "$slots" ]; do
			tell_progress
		done
		started+=("$guest")
		guest_tests "$guest" >"$logs/$guest.log" 2>&1 &
	done
	while [ -n "$(jobs -pr)" ]; do
		tell_progress
	done
}

# Says how far the guests are, from time to time.
started=() last=
tell_progress() {
	local guest now=

	sleep 1
	[ $((SECONDS % 15)) = 0 ] || return 0
	for guest in "${started[@]}"; do
		now+=" $guest: $(grep -cE '^(not )?ok' "$logs/$guest.log" || :) done"
	done
	[ "$now" = "$last" ] || say "guests, $SECONDS s:$now"
	last=$now
}

# The guests that a part consists of.
guests_of() {
	case $1 in
	debug) [ -n "${TEST_ONLY-}" ] && echo debug || echo debug-1 debug-2 ;;
	quick) echo quick debug-quick ;;
	soak) echo debug-soak soak ;;
	*) echo "$1" ;;
	esac
}

all_have_lines
# What takes longest starts first.
guests=()
for part in soak debug kcsan cpus rt stock quick slow 7.2 cloud 7.2-cloud latency; do
	[[ " $* " != *" $part "* ]] || read -r -a guests <<<"${guests[*]} $(guests_of $part)"
done
# Not in what follows, whose output goes to logs.
scripts/toolroot.sh >/dev/null
mapfile -t crates < <(crates)
scripts/dependencies.sh take "${crates[@]}"
# Beside what follows, as compilers have one thread at times.
[[ " $* " != *" host "* ]] || host_tests &
host_pid=$!
mapfile -t kernels < <(for guest in "${guests[@]}"; do kernel_of "$guest"; done | sort -u)
staged=1
stage_all "${kernels[@]}" || staged=
wait $host_pid
# In the place of a guest.
beside_guests "$@" &
host_pid=$!
[ -z "$staged" ] || run_guests "${guests[@]}"
wait $host_pid || echo 0 1 0 >>"$logs/host.sums"
scripts/dependencies.sh keep "${crates[@]}"
if [ -n "$staged" ]; then
	for guest in "${guests[@]}"; do
		echo "# guest $guest"
		cat "$logs/$guest.log"
	done
fi

[[ " $* " != *" deb "* ]] || by_itself deb selftests/deb/run.sh
[[ " $* " != *" docker "* ]] || by_itself docker selftests/docker/docker.sh --least 3 --checks

# died_of CONSOLE: what it has from the kernel's first complaint on, or its end.
died_of() {
	local first

	first=$(grep -nm 1 -E 'Oops: |BUG: |WARNING: |Kernel panic' "$1" || :)
	if [ -n "$first" ]; then
		sed -n "${first%%:*},+59p" "$1"
	else
		tail -n 40 "$1"
	fi
}

# Once more what failed, as much is printed in between. Where a guest ended before its
# tests did, the console knows why.
for guest in "${guests[@]}"; do
	grep -E '^ *not ok|^# prism: ' "$logs/$guest.log" | sed "s/^ */# $guest: /" | head -n 40 || :
	! grep -q '^# prism: ' "$logs/$guest.log" ||
		died_of "$logs/console-$guest.log" | sed "s/^/# $guest's console: /"
done

# tables: which kernel passed what: checks of each test, and in all.
tables() {
	local guest logs_of=("${guests[@]/#/$logs/}") passed failed skipped

	echo "commit: $(this_commit), in $(((SECONDS + 30) / 60)) minutes on $(nproc) CPUs"
	echo
	awk -f scripts/matrix.awk "${logs_of[@]/%/.log}"
	echo
	printf '%-10s %-28s %8s %8s %8s\n' guest kernel passed failed skipped
	for guest in "${guests[@]}"; do
		# A guest's own verdict has a line of its own.
		read -r passed failed skipped < <(
			awk '{ p += $1; f += $2; s += $3 } END { if (NR) print p, f, s }' "$logs/$guest.sums" 2>/dev/null
		) || passed='' failed='' skipped=''
		printf '%-10s %-28s %8s %8s %8s\n' "$guest" "$(<"$(kernel_dir "$(kernel_of "$guest")")/release")" \
			"${passed:--}" "${failed:--}" "${skipped:--}"
	done
}

if [ -n "$staged" ] && [ ${#guests[@]} -gt 4 ]; then
	tables | tee "$logs/matrix.txt" | sed 's/^/# /'
fi

# What left no sum failed.
[[ " $* " != *" host "* && " $* " != *" models "* && " $* " != *" bench "* ]] || guests+=(host)
for part in deb docker; do
	[[ " $* " != *" $part "* ]] || guests+=("$part")
done
for name in "${guests[@]}"; do
	[ -s "$logs/$name.sums" ] || echo 0 1 0 >"$logs/$name.sums"
done
echo "# in $((SECONDS / 60)) minutes and $((SECONDS % 60)) seconds"
cat "$logs"/*.sums | awk '{ p += $1; f += $2; s += $3 }
	END { printf "%d passed, %d failed, %d skipped\n", p, f, s; exit !(p && !f) }'
