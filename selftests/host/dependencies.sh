#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# dependencies.sh: a checkout compiles nothing of other people's crates that another one has
# compiled, and all of its own. Runs in the tool root.

. "$(dirname "$0")/../../scripts/lib.sh"

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
crate=selftests/pair/traffic
failed=0

# checkout NAME: another one with that crate.
checkout() {
	mkdir "$dir/$1"
	tar -C "$PRISM_SRC" -c --exclude=target scripts $crate | tar -C "$dir/$1" -x
}

dependencies() { PRISM_CACHE=$dir/cache "$dir/$1/scripts/dependencies.sh" "$2" $crate; }

# compiles NAME: which crates are compiled in that checkout, sorted.
compiles() {
	cargo check --locked --manifest-path "$dir/$1/$crate/Cargo.toml" 2>&1 |
		sed -nE 's/^ *(Compiling|Checking) ([^ ]*) .*/\2/p' | LC_ALL=C sort -u | xargs
}

# equal DESCRIPTION GOT EXPECTED
equal() {
	[ "$2" != "$3" ] || { echo "ok $1"; return; }
	echo "not ok $1: '$2', expected '$3'"
	failed=1
}

checkout first
dependencies first take
all=$(compiles first)
equal "the first compiles dependencies" "$(grep -wo nix <<<"$all")" nix
dependencies first keep
checkout second
dependencies second take
equal "the second compiles what is the project's" "$(compiles second)" traffic
checkout third
echo "# another" >>"$dir/third/$crate/Cargo.lock"
dependencies third take
equal "one that depends on others takes nothing" "$(compiles third)" "$all"
exit $failed
