# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Results in KTAP, one level below the runner's.

checks=0
failures=0

# Whether the tests are to take their time.
thorough() { [ -n "${PRISM_THOROUGH-}" ]; }

# A kernel that looks for mistakes is slow: tests do less there.
[ -e /sys/kernel/debug/kmemleak ] || [ -e /sys/kernel/debug/kcsan ] && DEBUG_KERNEL=1 || DEBUG_KERNEL=
# Under PREEMPT_RT the gate waits for handlers that were preempted, three times over. So many seconds
# behind a change it has let everything go.
grep -q PREEMPT_RT /proc/version && RT_KERNEL=1 || RT_KERNEL=
[ -n "$RT_KERNEL" ] && gate_opens=0.3 || gate_opens=0.01
export DEBUG_KERNEL

# scale STOCK [DEBUG [THOROUGH]]: how often to do something, in REPLY. As often as on a slow
# kernel where it is to be brief.
scale() {
	REPLY=$1
	[ -z "$DEBUG_KERNEL${PRISM_BRIEF-}" ] || REPLY=${2:-$1}
	! thorough || REPLY=${3:-$(($1 * 5))}
}

# seeded NAME: what is drawn from here on depends on the number in the variable of that
# name, or on one that is printed with it.
seeded() {
	local seed=${!1:-$(date +%N | sed 's/^0*//')}

	seed=$((seed % 32768))
	RANDOM=$seed
	note "$1=$seed"
}

# pick WORD...: one of them, in REPLY.
pick() {
	shift $((RANDOM % $#))
	REPLY=$1
}

note() {
	local line

	while IFS= read -r line; do
		printf '    # %s\n' "$line"
	done <<<"$*"
}

pass() {
	[ -z "${TEST_TIMES-}" ] || echo "    # at $EPOCHREALTIME"
	checks=$((checks + 1))
	echo "    ok $checks $1"
}

# fail DESCRIPTION [EVIDENCE...]
fail() {
	checks=$((checks + 1))
	failures=$((failures + 1))
	echo "    not ok $checks $1"
	shift
	[ $# = 0 ] || note "$@"
}

# skip DESCRIPTION REASON
skip() {
	checks=$((checks + 1))
	echo "    ok $checks $1 # SKIP $2"
}

# skip_all REASON: this test can't run here.
skip_all() {
	skip "${0##*/}" "$1"
	finish
}

# finish: the end of a test. One that ends elsewhere has failed.
finish() {
	trap - EXIT
	if [ $checks = 0 ]; then
		fail "nothing was checked"
	fi
	echo "    1..$checks"
	[ $failures = 0 ] && exit 0
	exit 1
}

ended_early() {
	fail "the test ended early, with status $?, at line ${BASH_LINENO[0]}"
	echo "    1..$checks"
	exit 1
}

# check DESCRIPTION COMMAND...: COMMAND succeeds.
check() {
	local what=$1 out rc=0
	shift

	out=$("$@" 2>&1) || rc=$?
	if [ $rc = 0 ]; then
		pass "$what"
	else
		fail "$what" "$*: status $rc" "$out"
	fi
}

# equal DESCRIPTION ACTUAL EXPECTED [EVIDENCE...]
equal() {
	if [ "$2" = "$3" ]; then
		pass "$1"
	else
		fail "$1" "is '$2', expected '$3'" "${@:4}"
	fi
}

# at_least DESCRIPTION ACTUAL LOWEST, at_most DESCRIPTION ACTUAL HIGHEST
at_least() {
	if [ "$2" -ge "$3" ]; then
		pass "$1"
	else
		fail "$1" "is $2, expected $3 or more" "${@:4}"
	fi
}

at_most() {
	if [ "$2" -le "$3" ]; then
		pass "$1"
	else
		fail "$1" "is $2, expected $3 or less" "${@:4}"
	fi
}

# matches DESCRIPTION TEXT PATTERN: a bash regular expression.
matches() {
	if [[ $2 =~ $3 ]]; then
		pass "$1"
	else
		fail "$1" "'$2' does not match '$3'"
	fi
}

# wait_for SECONDS CONDITION...: the condition, a command, holds in time.
wait_for() {
	local until=$((SECONDS + $1))
	shift

	while ! "$@"; do
		[ $SECONDS -lt $until ] || return 1
		pause 0.05
	done
}

# pause SECONDS, without starting a program.
pause() {
	local none

	read -r -t "$1" none <>"$pause_fifo" || :
}

pause_fifo=/run/selftests.pause
[ -p $pause_fifo ] || mkfifo $pause_fifo
