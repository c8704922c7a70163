#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# run.sh [TEST...]: the functional tests, inside a guest and as root. A test is a
# file in tests/, named with or without .sh; all of them without arguments.
# Prints KTAP, a subtest for each file. Environment:
#   PRISM_THOROUGH=1  more of everything
#   PRISM_BRIEF=1     as little as on a slow kernel
#   TEST_LIMIT=S      seconds that a test may take (180)
#   TEST_TIME=S       seconds after which none is begun; what is left is skipped

. "$(dirname "$0")/lib.sh"

module=$SELFTESTS/../prism.ko
bad_lines=/run/guest/bad-lines

prepare() {
	local name

	for name in vxlan veth bridge configfs nf_tables tun 8021q; do
		modprobe -q $name
	done
	modprobe -q bonding max_bonds=0
	echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad
	# Grace periods end at once: the tests are faster, and what relies on a longer
	# one than it waits for is found sooner.
	echo 1 >/sys/kernel/rcu_expedited
	# Starting programs has the scheduler set its own timer over and over, at a tenth of the time
	# where that is emulated.
	[ ! -w /sys/kernel/debug/sched/features ] || echo NO_HRTICK >/sys/kernel/debug/sched/features
	# A CPU that receives or sends while the kernel turns its keys for hooks there may, in QEMU,
	# meet a breakpoint that has gone (scripts/old-breakpoint.awk). With a user the keys stay on;
	# the debug kernel's guests are to see them turned.
	[ "$(nproc)" = 1 ] || [ -n "$DEBUG_KERNEL" ] || tc qdisc add dev lo clsact
	base && clean
	loaded || insmod "$module"
}

# state: what must be the same before and after a test.
state() {
	local file

	for file in /sys/class/net/*; do
		echo "device ${file##*/}"
	done
	for file in /run/netns/*; do
		echo "namespace ${file##*/}"
	done
	if loaded; then
		echo "mode $(<"$PRISM"/mode) rules $(echo "$RULES"/*) hooks $(prism_hooks)"
		echo "broken $(<"$PRISM"/broken)"
	else
		echo "the module is not loaded"
	fi
}

complaints() {
	[ -e $bad_lines ] || return 0
	log_since "begin $1" | awk -f /run/guest/ours.awk | grep -E -A 20 -f $bad_lines
}

# result NUMBER NAME FILE: runs one test.
result() {
	local name=$2 rc=0 out start=$EPOCHREALTIME time ok=ok

	echo "    # Subtest: $name"
	log_mark "begin $name"
	timeout -k 5 "${TEST_LIMIT:-180}" bash "$3" </dev/null
	rc=$?
	if [ $rc -ge 124 ]; then
		echo "    # stopped with status $rc after $SECONDS s"
	fi
	clean 2>&1 | sed 's/^/    # clean: /'
	out=$(complaints "$name")
	if [ -n "$out" ]; then
		note "the kernel complained:" "$out"
		rc=1
	fi
	out=$(state)
	if [ "$out" != "$clean_state" ]; then
		note "left behind:" "$(diff <(echo "$clean_state") <(echo "$out"))"
		rc=1
		loaded || insmod "$module"
	fi
	[ $rc = 0 ] || ok="not ok"
	time=$(((${EPOCHREALTIME/./} - ${start/./}) / 100000))
	echo "$ok $1 $name # ${time%?}.${time: -1} s"
	[ $rc = 0 ]
}

tests=()
if [ $# = 0 ]; then
	tests=("$SELFTESTS"/tests/*.sh)
else
	for name; do
		tests+=("$SELFTESTS/tests/${name%.sh}.sh")
	done
fi

echo "KTAP version 1"
echo "1..${#tests[@]}"
prepare || { echo "Bail out! the guest is not as it should be"; exit 1; }
clean_state=$(state)
number=0 failed=0
for file in "${tests[@]}"; do
	number=$((number + 1))
	name=${file##*/}
	name=${name%.sh}
	if [ -n "${TEST_TIME-}" ] && [ $SECONDS -ge "$TEST_TIME" ]; then
		echo "ok $number $name # SKIP no time left"
		continue
	fi
	result $number "$name" "$file" || failed=$((failed + 1))
done
[ $failed = 0 ]
