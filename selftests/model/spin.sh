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

# verify MODEL OPTION...: what spin's verifier says of it.
verify() {
	local model=$1
	shift

	cd "$out"
	spin -a "$@" "$models/$model.pml" &&
		gcc -O1 -w -DSAFETY -DCOLLAPSE -DMEMLIM=2048 -o pan pan.c &&
		./pan -m20000 -w22
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

# is_found MODEL BUG OPTION...
is_found() {
	local model=$1 bug=$2
	shift 2

	(verify "$model" "-DBREAK_$bug" "$@") >"$out/log" 2>&1 || :
	if [ "$(errors "$out/log")" = 1 ]; then
		echo "ok $model: $bug is found: $(sed -n 's/^pan:1: //p' "$out/log")"
	else
		echo "not ok $model: $bug is not found"
		tail -n 30 "$out/log"
		failed=1
	fi
}

holds gate
for bug in QUIET_ONCE LOOKS_ONCE HOLDS_BEHIND NOT_SCHEDULED NOT_FORGOTTEN NOT_DRAINED; do
	is_found gate $bug
done
holds stage
for bug in NOT_PAUSED NOT_RESCHEDULED NOT_DRAINED NOT_STOPPED NOT_COUNTED NOT_HANDED_ON; do
	is_found stage $bug
done
holds flight
for bug in NOT_FINISHED NO_INTERFACE_ASKED NOT_BUSY DECAPSULATES_AGAIN NOT_CLEARED; do
	is_found flight $bug
done
exit $failed
