#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# build.sh DIR: what the tests need and a shell can't do, built in the tool
# root and put into DIR: the tool `wire`, the BPF programs, and the user's tools, which
# need no library.

. "$(dirname "$0")/../scripts/lib.sh"
enter_toolroot "$0" "$@"

to=${1:?usage: build.sh DIR}
here=$PRISM_SRC/selftests

mkdir -p "$to"
cargo build --quiet --locked --release --manifest-path "$here/wire/Cargo.toml" \
	--target-dir "$here/wire/target" --config "$PRISM_SRC/scripts/static.toml"
cp "$here/wire/target/x86_64-unknown-linux-gnu/release/wire" "$to/"
# The user's tools, and a Docker engine that only tests need.
"$PRISM_SRC/scripts/tools.sh"
cp "$PRISM_SRC"/build/tools/{prismctl,prismd} "$PRISM_SRC/tools/target/x86_64-unknown-linux-gnu/release/fake-docker" "$to/"
for source in "$here"/bpf/*.bpf.c; do
	name=$(basename "$source" .bpf.c)
	clang -O2 -g -target bpf -Wall -Werror -I/usr/include/x86_64-linux-gnu \
		-ffile-prefix-map="$PRISM_SRC/=" -fdebug-compilation-dir=. -c "$source" -o "$to/$name.o"
done
