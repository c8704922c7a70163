#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# dependencies.sh take|keep CRATE...: what cargo compiled of other people's crates, from one
# checkout to the next. `take` puts into CRATE/target what is kept for its Cargo.lock, if
# nothing was built there yet; `keep` adds what is new there. cargo takes it by its own
# fingerprints, which name compiler, features and options, and compiles what does not fit.
#
# The project's own crates are not kept: a checkout has to compile those.

. "$(dirname "$0")/lib.sh"

# kept_for CRATE: where it is, by the compiler and what the crate depends on.
kept_for() {
	echo "$PRISM_CACHE/dependencies/${1//\//-}-$(cat /etc/prism-toolroot "$1/Cargo.lock" | hash_of)"
}

# of_others CRATE: paths below CRATE/target, each of one crate from a registry.
of_others() {
	find "$1/target" \( -path '*/.fingerprint/*' -o -path '*/build/*' -o -path '*/deps/*' \) -prune -printf '%P\n' |
		awk '
		function plain(name) { gsub(/-/, "_", name); return name }
		# In Cargo.lock, "source" follows the name of a crate that is not of this workspace.
		FILENAME != "-" {
			if ($1 == "name") name = plain($3)
			if ($1 == "source") others[name]
			next
		}
		{
			name = $0
			sub(/.*\//, "", name)
			sub(/\..*/, "", name)
			sub(/-[0-9a-f]+$/, "", name)
			name = plain(name)
			if (name in others || (sub(/^lib/, "", name) && name in others)) print
		}' FS='[ "]+' "$1/Cargo.lock" FS=/ -
}

take() {
	local kept

	kept=$(kept_for "$1")
	[ ! -e "$1/target" ] && [ -d "$kept" ] || return 0
	mkdir "$1/target"
	cp -a --reflink=auto "$kept/." "$1/target/"
}

keep() {
	local kept

	kept=$(kept_for "$1")
	[ -d "$1/target" ] || return 0
	mkdir -p "$kept"
	of_others "$1" | tar -C "$1/target" -c --files-from=- | tar -C "$kept" -x --skip-old-files
}

case ${1-} in
take | keep) ;;
*) die "usage: dependencies.sh take|keep CRATE..." ;;
esac
enter_toolroot "$0" "$@"
cd "$PRISM_SRC"
for crate in "${@:2}"; do
	locked "dependencies of $(basename "$crate")" "$1" "$crate"
done
