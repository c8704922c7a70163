#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The module's own KUnit suites pass. They run here, and not each time it is loaded.

. "${0%/*}/../lib.sh"
trap ended_early EXIT

[ -d /sys/kernel/debug/kunit ] || skip_all "the kernel has no KUnit"

log_mark kunit
for run in /sys/kernel/debug/kunit/prism_*/run; do
	echo 1 >"$run"
done
totals=$(log_since kunit | grep -oE '# prism_[a-z_]+: pass:[0-9]+ fail:[0-9]+ skip:[0-9]+ total:[0-9]+')
at_least "suites are found" "$(grep -c . <<<"$totals")" 1
equal "no test fails" "$(grep -c 'fail:0 ' <<<"$totals")" "$(grep -c . <<<"$totals")"
at_least "tests have run" "$(grep -oE 'pass:[0-9]+' <<<"$totals" | cut -d: -f2 | head -n 1)" 1
finish
