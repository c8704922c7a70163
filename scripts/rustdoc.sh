#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# rustdoc.sh: the documentation of the module's two crates, in build/doc; every
# warning is an error. It takes the options that each crate was compiled with.

. "$(dirname "$0")/lib.sh"
enter_toolroot "$0" "$@"

"$PRISM_SRC/scripts/build.sh" stock >/dev/null
cd "$PRISM_SRC/build/$(cat "$("$PRISM_SRC/scripts/kernel.sh" stock)/release")"

for object in rust/knet prism/prism_main; do
	command=$(sed -n "s/^savedcmd_[^ ]* := //p" "$(dirname $object)/.$(basename $object).o.cmd" |
		sed -E 's/ ?;.*//; s/ --emit=[^ ]*//g; s/ --out-dir [^ ]*//; s/ rustc / rustdoc /')
	RUSTC_BOOTSTRAP=1 KNET_BINDINGS=$PWD/rust/bindings_generated.rs \
		bash -c "$command --document-private-items -D warnings -A rustdoc::private_intra_doc_links -o '$PRISM_SRC/build/doc'"
done
