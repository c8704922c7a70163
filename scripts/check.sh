#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# check.sh [NAME...]: everything that can be said about the files without
# running them. Each check is a function check_NAME; the last line is a sum.

. "$(dirname "$0")/lib.sh"
enter_toolroot "$0" "$@"

cd "$PRISM_SRC"
passed=0 failed=0

# The files of the project: tracked, or new and not ignored.
files() { git -c safe.directory='*' ls-files --cached --others --exclude-standard -- "$@" | existing; }
existing() { while read -r f; do [ ! -f "$f" ] || echo "$f"; done; }

shell_files() {
	files | while read -r f; do
		case $f in
		*.sh) echo "$f" ;;
		*) ! head -c 64 "$f" | head -n 1 | grep -qaE '^#!.*(sh|bash)$' || echo "$f" ;;
		esac
	done
}

mapfile -t crates < <(files '*Cargo.lock' | xargs -r -n 1 dirname)
[ ${#crates[@]} -gt 0 ] || die "git does not list the files"

# run NAME: one check, silent when it passes.
run() {
	local out rc start=$SECONDS

	# Not in a condition, which would turn "set -e" off inside.
	set +e
	out=$(set -e; "check_$1" 2>&1)
	rc=$?
	set -e
	if [ $rc = 0 ]; then
		echo "ok $1 ($((SECONDS - start)) s)"
		passed=$((passed + 1))
	else
		echo "not ok $1"
		printf '%s\n' "$out" | tail -n 60 | sed 's/^/    /'
		failed=$((failed + 1))
	fi
}

check_rustfmt() { files '*.rs' | xargs -r rustfmt --check --edition 2021; }

check_shellcheck() { shell_files | xargs -r shellcheck -x; }

# Every file that can hold a comment says its licence near its top.
check_spdx() {
	local f lacking=0

	while read -r f; do
		case $f in
		COPYING | debian/source/format | *Cargo.lock | *.json | *.png | *.svg | */corpus/* | */seeds/*) continue ;;
		esac
		head -n 5 "$f" | grep -qaE 'SPDX-License-Identifier: (\(?GPL-2.0|GPL-2.0)' ||
			{ echo "$f: no SPDX-License-Identifier: GPL-2.0 in its first lines"; lacking=1; }
	done < <(files)
	return $lacking
}

check_spelling() {
	files | grep -vE 'Cargo.lock|/corpus/|/seeds/|COPYING' |
		xargs -r codespell -q 7 -L crate,te,ser,mis,ect,fo,ba,ratatui
}

# White space at the ends of lines, missing newline at the end of a file.
check_whitespace() {
	local f bad=0

	while read -r f; do
		case $f in
		*/corpus/* | */seeds/* | *.png) continue ;;
		esac
		! grep -nHI '[[:blank:]]$' "$f" || bad=1
		[ ! -s "$f" ] || [ -z "$(tail -c 1 "$f")" ] || { echo "$f: no newline at its end"; bad=1; }
	done < <(files)
	return $bad
}

# The kernel's own check of C style. It takes a function named for_each for a
# loop, so braces are not its business. Tracepoints, and lists of what they say, are macros
# of a kind that it takes for mistakes.
check_c() {
	local ignored=FILE_PATH_CHANGES,SPDX_LICENSE_TAG,OPEN_BRACE bad=0
	local macros=COMPLEX_MACRO,MACRO_ARG_UNUSED,TRAILING_SEMICOLON,MULTISTATEMENT_MACRO_USE_DO_WHILE
	local source checkpatch

	source=$(readlink -f "$(scripts/kernel.sh stock)/build/source")
	checkpatch=(perl "$source/scripts/checkpatch.pl" --no-tree --terse --quiet --max-line-length=100)
	files '*.c' '*.h' ':!*_trace.h' ':!*/reasons.h' |
		xargs -r "${checkpatch[@]}" --ignore "$ignored" -f || bad=1
	files '*_trace.h' '*/reasons.h' | xargs -r "${checkpatch[@]}" --ignore "$ignored,$macros" -f || bad=1
	return $bad
}

# clippy, and no warning at all, from the build of the modules.
check_module() {
	local log=build/check-module.log

	mkdir -p build
	rm -rf build/*-clippy
	{
		CLIPPY=1 scripts/build.sh stock && CLIPPY=1 scripts/build.sh stock simnic &&
			# With what is for that kernel only.
			CLIPPY=1 scripts/build.sh debug && CLIPPY=1 scripts/build.sh debug failable
	} >"$log" 2>&1 || { cat "$log"; return 1; }
	! grep -qE '^warning|: warning:' "$log" || { cat "$log"; return 1; }
}

check_forbid_unsafe() {
	grep -q '^#!\[forbid(unsafe_code)\]' prism/prism_main.rs &&
		grep -q '^#!\[forbid(unsafe_code)\]' selftests/simnic/simnic_main.rs
}

check_clippy() {
	local crate features

	for crate in "${crates[@]}"; do
		# Fuzzers are linked by fuzz.sh alone.
		features=()
		! grep -q '^fuzz = ' "$crate/Cargo.toml" || features=(--features fuzz)
		cargo clippy --quiet --manifest-path "$crate/Cargo.toml" --workspace --all-targets "${features[@]}" --locked \
			-- -D warnings
	done
}

# The Debian packages are built, and lintian says nothing of them.
check_packages() { scripts/deb.sh build/check-deb; }

check_rustdoc() {
	local crate

	for crate in "${crates[@]}"; do
		RUSTDOCFLAGS='-D warnings' cargo doc --quiet --no-deps --document-private-items --locked --workspace \
			--manifest-path "$crate/Cargo.toml"
	done
	scripts/rustdoc.sh
}

# An ABI file has the fields of Documentation/ABI/README of the kernel.
check_abi() {
	local f field bad=0

	while read -r f; do
		for field in What Date Contact Description; do
			grep -q "^$field:" "$f" || { echo "$f: no $field:"; bad=1; }
		done
	done < <(files 'Documentation/ABI/*')
	return $bad
}

# Links, and files that a document shows, are there.
check_links() {
	local f link bad=0

	while read -r f; do
		while read -r link; do
			[ -e "$(dirname "$f")/$link" ] || [ -e "$link" ] || { echo "$f: $link is not there"; bad=1; }
		done < <(sed -nE 's/^ *\.\. (literalinclude|figure):: *//p' "$f"; grep -oE '\]\([^):#]+' "$f" | cut -c3-)
	done < <(files '*.md' '*.rst')
	return $bad
}

# How often each promise's tests have run is what the table of the matrix says.
check_promises() {
	awk -f scripts/promises.awk Documentation/matrix.txt Documentation/reliability.rst |
		diff Documentation/reliability.rst -
}

all="spdx whitespace shellcheck rustfmt spelling c forbid_unsafe module clippy packages rustdoc abi links promises"
[ $# -gt 0 ] || read -r -a words <<<"$all"
[ $# -gt 0 ] || set -- "${words[@]}"
# Here, as the output of a check is seen only if it fails.
[[ " $* " != *" module "* ]] || { scripts/kernel.sh stock && scripts/kernel.sh debug; } >/dev/null
scripts/dependencies.sh take "${crates[@]}"
for name; do
	run "$name"
done
scripts/dependencies.sh keep "${crates[@]}"
echo "$passed passed, $failed failed, 0 skipped"
[ $failed = 0 ] && [ $passed -gt 0 ]
