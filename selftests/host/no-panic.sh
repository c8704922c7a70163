#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Proves that prism/classify cannot panic, which in the kernel is BUG(): compiled as the kernel
# compiles Rust (optimised, overflow checked), no function of it calls into core::panicking.
#
# What core itself does when it formats or parses text is not seen here. The packet path does
# neither.

set -eu

cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"${RUSTC:-rustc}" --edition 2021 --crate-name classify_code --crate-type lib --emit obj -o "$work/classify.o" \
	-C opt-level=2 -C codegen-units=1 -C overflow-checks=on -C debug-assertions=off \
	-C panic=abort -C relocation-model=static no-panic.rs

objdump -dr "$work/classify.o" >"$work/code"
if ! grep -q '<packet_parse>:' "$work/code"; then
	echo "no-panic: the object has no packet_parse" >&2
	exit 1
fi

# All that is cold in core and does not return is named like that.
awk '
	/^[0-9a-f]+ <.*>:$/ { name = $2 }
	/R_[A-Z0-9_]+.*(9panicking|_failed|_fail|_violation|_mismatch)/ {
		if (name ~ /^<panics_by_/)
			seen[name] = 1
		else {
			print name " may panic: " $NF
			bad = 1
		}
	}
	END {
		for (name in seen)
			count++
		if (count != 6) {
			print "only " count " of 6 ways to panic are seen"
			bad = 1
		}
		exit bad
	}
' "$work/code"
echo "no-panic: no function of prism/classify can panic"
