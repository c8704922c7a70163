# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The program that plans measurements and shows what came out. Source it after
# scripts/lib.sh.

here=$PRISM_SRC/selftests/bench
# Static: built in the tool root, it runs outside.
bench=build/bench-tool/x86_64-unknown-linux-gnu/release/bench

build() {
	scripts/in-toolroot.sh cargo build --quiet --release --locked \
		--manifest-path "$here/Cargo.toml" --target-dir "$PRISM_SRC/build/bench-tool" \
		--config "$here/.cargo/config.toml"
}

# about KERNELDIR MODULE: of what and with what a run is, as options in `about`.
about() {
	about=(--about "kernel=$(cat "$1/release")"
		--about "module=$(scripts/in-toolroot.sh modinfo -F version "$2")"
		--about "commit=$(this_commit)")
}
