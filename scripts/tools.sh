#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# tools.sh [install]: build the user's tools, their manual pages, and what shells need to
# complete their commands, into build/tools; or install them from there, with units of
# systemd. They need no library. DESTDIR and PREFIX (/usr/local) say where to.

. "$(dirname "$0")/lib.sh"

to=$PRISM_SRC/build/tools

tools=(prismctl prismd)

install_tools() {
	local prefix=${PREFIX:-/usr/local} base name unit
	base=${DESTDIR-}$prefix

	for name in "${tools[@]}"; do
		[ -x "$to/$name" ] || "$PRISM_SRC/scripts/tools.sh"
		install -D -m 755 -t "$base/bin" "$to/$name"
		install -D -m 644 "$to/assets/$name.bash" "$base/share/bash-completion/completions/$name"
		install -D -m 644 -t "$base/share/zsh/site-functions" "$to/assets/_$name"
		install -D -m 644 -t "$base/share/fish/vendor_completions.d" "$to/assets/$name.fish"
	done
	install -D -m 644 -t "$base/share/man/man1" "$to"/assets/*.1
	install -D -m 644 -t "$base/share/man/man8" "$to"/assets/*.8
	install -d "$base/lib/systemd/system"
	for unit in "$PRISM_SRC"/tools/units/*.service; do
		sed "s|@bindir@|$prefix/bin|" "$unit" >"$base/lib/systemd/system/${unit##*/}"
	done
	say "installed prismctl and prismd in $base/bin, their manual pages, completions and units"
}

case ${1-} in
'') ;;
install)
	install_tools
	exit
	;;
*) die "usage: tools.sh [install]" ;;
esac

enter_toolroot "$0" "$@"
cd "$PRISM_SRC"
mkdir -p "$to"
scripts/dependencies.sh take tools
cargo build --quiet --locked --release --manifest-path tools/Cargo.toml \
	--target-dir tools/target --config scripts/static.toml
for name in "${tools[@]}"; do
	cp "tools/target/x86_64-unknown-linux-gnu/release/$name" "$to/"
	say "built $to/$name"
done
