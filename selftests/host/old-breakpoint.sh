#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# old-breakpoint.sh: of which consoles scripts/old-breakpoint.awk says that QEMU ended the guest.

. "$(dirname "$0")/../../scripts/lib.sh"

failed=0

# is YES|NO DESCRIPTION LINE...
is() {
	local got=no

	! printf '%s\n' "${@:3}" | awk -f "$PRISM_SRC/scripts/old-breakpoint.awk" || got=yes
	[ "$got" != "$1" ] || { echo "ok $2"; return; }
	echo "not ok $2: $got"
	failed=1
}

int3='[  613.7] Oops: int3: 0000 [#1] SMP NOPTI'
jump='[  613.7] Code: e9 09 01 00 00 e9 <02> 02 00 00 65 80 3d b9 d8 06 02'
user='[  613.7] Code: 0f 05 48 3d 00 f0 ff ff cc <77> 54 c3'
is yes "the breakpoint is gone" "$int3" '[  613.7] RIP: 0010:__dev_queue_xmit+0x1e6/0x1090' "$jump" "$user"
is yes "two CPUs met it" "$int3" "$jump" "${int3/#1/#2}" "$jump" "$jump"
is yes "in a module" "$int3" '[  613.7] RIP: 0010:knet_watch_begin+0x6/0x10 [prism]' "$jump"
is yes "where a module was interrupted" "$int3" "$jump" '[  613.7] RIP: 0010:knet_watch_begin+0x6/0x10 [prism]'
is no "a breakpoint that is there" "$int3" "${jump/e9 <02>/cc <02>}" "$jump"
is no "its code is not told" "$int3" '[  613.7] Code: Unable to access opcode bytes at 0xffffffffc0000000.'
is no "something else" '[  613.7] Oops: invalid opcode: 0000 [#1] SMP NOPTI' "$jump"
is no "something else, too" "$int3" "$jump" '[  613.7] Oops: 0002 [#2] SMP NOPTI' "$jump"
is no "no such thing" '[  613.7] Kernel panic - not syncing: Fatal exception in interrupt'
exit $failed
