#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# screens.sh [docs]: pictures of what prismctl shows on a terminal, taken in a guest, in
# build/screens; with docs also in Documentation/screens.

. "$(dirname "$0")/../../scripts/lib.sh"

case ${1-} in
'' | docs) ;;
*) die "usage: screens.sh [docs]" ;;
esac
cd "$PRISM_SRC"
unset KDIR
to=build/screens
rm -rf $to
mkdir -p $to/share $to/taken build/log
scripts/image.sh demo >/dev/null
cp "$(scripts/build.sh stock)" $to/share/prism.ko
mkdir -p $to/share/selftests/tests
cp -r selftests/{run.sh,lib.sh,lib} $to/share/selftests/
# The only test there.
cp selftests/screens/take.sh $to/share/selftests/tests/
selftests/build.sh "$PRISM_SRC/$to/share/selftests/bin"
qemu/run.sh --image demo --share "$PRISM_SRC/$to/share" --net "virtio,e1000e,rtl8139" --log "$PRISM_SRC/build/log/screens.log" \
	--result "$PRISM_SRC/$to/taken.tar" --cmd "exec bash /prism/selftests/run.sh"
tar -x -C $to/taken -f $to/taken.tar
for screen in "$to"/taken/*; do
	scripts/in-toolroot.sh cargo run --quiet --locked --release --config scripts/static.toml \
		--manifest-path tools/Cargo.toml -p prismctl --example picture <"$screen" >"$to/${screen##*/}.svg"
	say "$to/${screen##*/}.svg"
done
[ -z "${1-}" ] || install -D -m 644 -t Documentation/screens "$to"/*.svg
