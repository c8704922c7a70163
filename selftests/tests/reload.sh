#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The module loaded and unloaded over and over under traffic, in mode sync with
# rules for it.

. "${0%/*}/../lib.sh"
. "${0%/*}/../lib/memory.sh"
trap ended_early EXIT

# reload COUNT: each time it stays for as many milliseconds, so that packets pass its gate; for fewer
# where more of them come.
thorough && stay=5 || stay=20
[ -z "$RT_KERNEL" ] || stay=200
reload() {
	wire reload "$SELFTESTS"/../prism.ko --stay "$stay" --count "$1" --rule vni=100,protocol=udp --rule protocol=tcp
}

# As many datagrams as can be, or so many that it does not take long.
limit=(--rate 300) tcp_limit=(--rate 100)
! thorough || limit=(--window 16)
! thorough || [ -n "$DEBUG_KERNEL" ] || tcp_limit=(--rate 1000)

flows() {
	background udp udp --from remote --to c1 --source "$remote_ip" --destination "$c1_ip" --count 0 "${limit[@]}"
	background tcp tcp --from remote --to c1 --destination "$c1_ip" --port 5002 --endless "${tcp_limit[@]}"
}

underlay
overlay_bridge
rmmod prism
# As run.sh does for tc's keys: with a user those of netfilter's hooks stay on, too, which are turned twice each
# time otherwise. Of two guests with a thousand times QEMU lost both to that.
keys_stay_on() {
	[ "$(nproc)" != 1 ] && [ -z "$DEBUG_KERNEL" ] && nft -f - <<-END
		table netdev keys {
			chain ingress { type filter hook ingress device lo priority 0; }
			chain egress { type filter hook egress device lo priority 0; }
		}
	END
}
has_keys=
if keys_stay_on; then
	has_keys=1
fi

scale 200 12 1000
rounds=$REPLY
# What is made once only is made by then; and memory is looked at without traffic.
flows
reload $((4 + rounds / 20))
ended udp
ended tcp
memory_before
flows
reload "$rounds"
equal "$rounds times loaded and unloaded" "${got[done]-}" "$rounds" "$report"
at_least "packets ran to completion in between" "${got[completed]-0}" "$rounds"
note "$report"

ended udp
equal "no datagram is lost" "${got[lost]-} ${got[duplicate]-} ${got[corrupt]-}" "0 0 0" "$report"
at_least "there were many" "${got[received]-0}" 1000
note "$report"
ended tcp
equal "TCP is intact" "${got[lost]-}" 0 "$report"
at_least "much was transferred" "${got[up]-0}" 50000
[ -z "$has_keys" ] || nft delete table netdev keys
memory_flat "loaded and unloaded $rounds times" "$rounds"
insmod "$SELFTESTS"/../prism.ko
finish
