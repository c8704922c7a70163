#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# tools.sh [install]: build the user's tools, their manual pages, and what shells need to
# complete their commands, into build/tools; or install them from there. They need no
# library. DESTDIR and PREFIX (/usr/local) say where to.

. "$(dirname "$0")/lib.sh"

to=$PRISM_SRC/build/tools

install_tools() {
	local base=${DESTDIR-}${PREFIX:-/usr/local}

	[ -x "$to/prismctl" ] || "$PRISM_SRC/scripts/tools.sh"
	install -D -m 755 -t "$base/bin" "$to/prismctl"
	install -D -m 644 -t "$base/share/man/man1" "$to"/assets/*.1
	install -D -m 644 "$to/assets/prismctl.bash" "$base/share/bash-completion/completions/prismctl"
	install -D -m 644 -t "$base/share/zsh/site-functions" "$to/assets/_prismctl"
	install -D -m 644 -t "$base/share/fish/vendor_completions.d" "$to/assets/prismctl.fish"
	say "installed $base/bin/prismctl, its manual pages and completions"
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
PRISM_ASSETS=$to/assets cargo build --quiet --locked --release --manifest-path tools/Cargo.toml \
	--target-dir tools/target --config scripts/static.toml
cp tools/target/x86_64-unknown-linux-gnu/release/prismctl "$to/"
say "built $to/prismctl"
