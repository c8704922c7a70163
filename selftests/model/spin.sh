#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# spin.sh: checks the models in spin/, each of which says what it is of. The right ones
# have to hold in all their states, and what is broken in one has to be found. Runs in the
# tool root.

. "$(dirname "$0")/../../scripts/lib.sh"

models=$PRISM_SRC/selftests/model/spin
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
failed=0

# verify MODEL OPTION...: what spin's verifier says of it. With ALL_ARRIVE it is about what has to come about
# in the end, where each process that can go on does so some time.
verify() {
	local model=$1 compiled=(-DSAFETY) run=(-m20000)
	shift

	cd "$out"
	if [[ " $* " = *" -DALL_ARRIVE "* ]]; then
		compiled=(-DNFAIR=2) run=(-a -f -m200000)
	fi
	spin -a "$@" "$models/$model.pml" &&
		gcc -O1 -w "${compiled[@]}" -DCOLLAPSE -DMEMLIM=2048 -o pan pan.c &&
		./pan "${run[@]}" -w22
}

# errors FILE: how many the verifier found, if it was through with what it had to do.
errors() { sed -n 's/^State-vector.* errors: \([0-9]*\)$/\1/p' "$1"; }

# holds MODEL OPTION...
holds() {
	(verify "$@") >"$out/log" 2>&1 || :
	if [ "$(errors "$out/log")" = 0 ] && ! grep -qE 'not completed|max search depth' "$out/log"; then
		echo "ok $*: $(sed -n 's/^ *\([0-9]*\) states, stored/\1/p' "$out/log") states"
	else
		echo "not ok $*"
		grep -vE 'unreached|states\)|^$' "$out/log" | tail -n 30
		failed=1
	fi
}

# is_found MODEL BUG WHAT OPTION...: by that.
is_found() {
	local model=$1 bug=$2 what=$3 found
	shift 3

	(verify "$model" "-DBREAK_$bug" "$@") >"$out/log" 2>&1 || :
	found=$(sed -n 's/^pan:1: //p' "$out/log")
	if [ "$(errors "$out/log")" = 1 ] && [[ $found = *"$what"* ]]; then
		echo "ok $model: $bug is found: $found"
	else
		echo "not ok $model: $bug is not found by: $what"
		tail -n 30 "$out/log"
		failed=1
	fi
}

# What the verifier says of two packets that are in the wrong order, of who waits for ever, and of what
# never comes about.
order='packet==(delivered+1)' waits='invalid end state' never='acceptance cycle'

holds gate
is_found gate QUIET_ONCE "$order"
is_found gate LOOKS_ONCE "$order"
is_found gate HOLDS_BEHIND "$order"
is_found gate NOT_SCHEDULED "$waits"
is_found gate NOT_FORGOTTEN "$order"
is_found gate NOT_DRAINED "$order"
# With three packets there are too many states for that.
holds gate -DALL_ARRIVE -DPACKETS=2
is_found gate NEVER_DUE "$never" -DALL_ARRIVE -DPACKETS=2
holds stage
is_found stage NOT_PAUSED has_device
is_found stage NOT_RESCHEDULED "$waits"
is_found stage NOT_DRAINED 'taken==(served+dropped)'
is_found stage NOT_STOPPED '!(freed)'
is_found stage NOT_COUNTED 'taken==(served+dropped)'
is_found stage NOT_HANDED_ON "$waits"
holds flight
is_found flight NOT_FINISHED 'deliveries==1'
is_found flight NO_INTERFACE_ASKED '(is_own&&runs)&&lives'
is_found flight NOT_BUSY '!(runs)'
is_found flight DECAPSULATES_AGAIN 'tunnels==1'
is_found flight NOT_CLEARED 'cell==0'
exit $failed
