#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# rustdoc.sh: the documentation of the modules' crates, in build/doc; every
# warning is an error. It takes the options that each crate was compiled with,
# which for the library are those of the module that has all of it, but not with
# names of files that are mapped twice, which rustdoc does not bear.

. "$(dirname "$0")/lib.sh"
enter_toolroot "$0" "$@"

# document MODULE OBJECT...
document() {
	local object command dir
	dir=$PRISM_SRC/$(dirname "$("$PRISM_SRC/scripts/build.sh" stock ${1:+"$1"})")
	shift

	cd "$dir"
	for object; do
		command=$(sed -n "s/^savedcmd_[^ ]* := //p" "$(dirname "$object")/.$(basename "$object").o.cmd" |
			sed -E 's/ ?;.*//; s/ --emit=[^ ]*//g; s/ --out-dir [^ ]*//; s/ --remap-path-prefix=[^ ]*//g; s/ rustc / rustdoc /')
		RUSTC_BOOTSTRAP=1 KNET_BINDINGS=$PWD/rust/bindings_generated.rs \
			bash -c "$command --document-private-items -D warnings -A rustdoc::private_intra_doc_links -o '$PRISM_SRC/build/doc'"
	done
}

document '' prism/prism_main
document simnic rust/knet simnic_main
