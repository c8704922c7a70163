# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Faults: calls of the kernel that fail because a test wants them to. Only the debug
# kernel can do that.

debugfs=/sys/kernel/debug
# What can fail; a test may add to it.
faults=(failslab fail_page_alloc fail_function)

# fault_attribute NAME FILE VALUE
fault_attribute() { echo "$3" >"$debugfs/$1/$2"; }

# faults_ready: nothing fails by itself. Ends the test where nothing can.
faults_ready() {
	local name

	for name in "${faults[@]}"; do
		[ -e "$debugfs/$name" ] || skip_all "this kernel has no $name"
	done
	# The kernel's probe for it cannot stay where it is once it is optimised.
	echo 0 >/proc/sys/debug/kprobes-optimization
	for name in "${faults[@]}"; do
		fault_attribute "$name" probability 0
		fault_attribute "$name" interval 1
		fault_attribute "$name" times -1
		fault_attribute "$name" space 0
		fault_attribute "$name" verbose 0
		fault_attribute "$name" task-filter N
	done
	fault_attribute fail_page_alloc min-order 0
	trap 'faults_over; ended_early' EXIT
}

# tells_callers: whether the kernel can tell failures by who calls.
tells_callers() { [ -e $debugfs/failslab/require-start ]; }

# only_from DEPTH FIRST LAST NAME...: such calls fail only where one of the DEPTH closest
# callers is between those addresses.
only_from() {
	local depth=$1 first=$2 last=$3 name

	for name in "${@:4}"; do
		fault_attribute "$name" stacktrace-depth "$depth"
		fault_attribute "$name" require-start "$first"
		fault_attribute "$name" require-end "$last"
	done
}

# from_anywhere: calls fail whoever calls.
from_anywhere() { only_from 32 0 0xffffffffffffffff "${faults[@]}"; }

# code_of FUNCTION: its addresses, in REPLY.
code_of() {
	REPLY=$(awk -v name="$1" 'is { print "0x" is, "0x" $1; exit } $3 == name { is = $1 }' /proc/kallsyms)
}

# own_code: the addresses of the module's code, in REPLY.
own_code() {
	REPLY=$(awk '$4 == "[prism]" && $2 ~ /[tT]/ { print "0x" $1 }' /proc/kallsyms | sort | sed -n '1p;$p' |
		paste -sd ' ')
}

# faults_over: nothing fails any more.
faults_over() {
	local name

	! tells_callers || from_anywhere
	for name in "${faults[@]}"; do
		fault_attribute "$name" probability 0
		fault_attribute "$name" task-filter N
		fault_attribute "$name" times -1
	done
	fault_attribute failslab ignore-gfp-wait Y
	fault_attribute fail_page_alloc ignore-gfp-wait Y
	echo >$debugfs/fail_function/inject
}

# allocations_fail: those of a task that `failing` has chosen.
allocations_fail() {
	fault_attribute failslab ignore-gfp-wait N
	fault_attribute fail_page_alloc ignore-gfp-wait N
	fault_attribute fail_page_alloc ignore-gfp-highmem N
}

# workers_fail 1|0: whether allocations of the kernel's workers fail. In REPLY, how many
# have failed by now.
workers_fail() {
	local name comm

	for name in /proc/[0-9]*; do
		read -r comm 2>/dev/null <"$name/comm" || continue
		[[ $comm != kworker/u* ]] || echo "$1" >"$name/make-it-fail"
	done
	for name in failslab fail_page_alloc; do
		fault_attribute $name task-filter Y
		fault_attribute $name probability $((100 * $1))
		[ "$1" = 0 ] || fault_attribute $name times 100
	done
	read -r REPLY <$debugfs/failslab/times
	REPLY=$((100 - REPLY))
	[ "$1" = 1 ] || fault_attribute failslab times -1
	[ "$1" = 1 ] || fault_attribute fail_page_alloc times -1
}

# function_fails NAME [VALUE]: with that value, once `failing` wants it to; NULL without.
function_fails() {
	echo "$1" >$debugfs/fail_function/inject || fail "$1 can be made to fail"
	printf '%#x' "${2:-0}" >"$debugfs/fail_function/$1/retval"
}

# failing DESCRIPTION [ARG...]: has each call fail in turn. What is refused is refused
# with one of the $fault_errors and changes nothing; what is done is done as without a
# fault.
fault_errors=ENOMEM
failing() {
	local what=$1 rc=0 start=$EPOCHREALTIME error errors unexpected=
	shift

	report=$("$WIRE" failing "$@" 2>&1) || rc=$?
	understand "${report%%$'\n'*}"
	note "$what: ${report%%$'\n'*} ms=$(((${EPOCHREALTIME/./} - ${start/./}) / 1000))"
	errors=${got[errors]-}
	for error in ${errors//,/ }; do
		[[ " $fault_errors " == *" $error "* ]] || unexpected+="$error "
	done
	if [ $rc = 0 ] && [ "${got[wrong]-}" = 0 ] && [ -z "$unexpected" ]; then
		pass "$what: done or refused as a whole in ${got[tries]} tries"
	else
		fail "$what: done or refused as a whole" "status $rc" "$report"
	fi
}

# failing_whole DESCRIPTION [ARG...]: the same for what must not do without anything.
failing_whole() {
	failing "$@"
	equal "$1: nothing is left out" "${got[without]-}" 0
}
