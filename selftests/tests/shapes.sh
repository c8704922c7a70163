#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Frames that come as packets of all shapes that drivers give them, by all ways: sockets,
# packet sockets and the sender get what they get with mode off, and the same is dropped.
# The NIC counts what it delivers as it is, and what was taken from GRO at once, which
# nothing but the module does. DIFFERENTIAL_SEED=N and DIFFERENTIAL_ARGS as in
# differential.sh.

. "${0%/*}/../lib.sh"
. "${0%/*}/../lib/differential.sh"
trap ended_early EXIT

# nic: one that has received nothing yet, with everything behind it. What it sends is
# seen at another device, as a packet socket at the NIC would change what comes in.
nic() {
	mkdir "$sim"
	in_ns '' <<-END
		link add copies type dummy
		link set copies up
	END
	differential_topology sim0
	nft -f - <<-END
		table netdev copies {
			chain sent {
				type filter hook egress device sim0 priority 0;
				dup to copies
			}
		}
	END
	differential_rules
	echo sim0 >"$PRISM"/devices
}

# What is on the NIC goes with it.
no_nic() {
	rmdir "$sim"
	clean
}

# Each shape was there in each way, and TAKEN of them were the module's.
shapes() {
	local what=$1 name off text=$report
	shift

	understand "${text//$'\n'/ }"
	note "$(grep offered_ <<<"$text")"
	for name; do
		at_least "$what: there are packets '${name#-}' in each way" "${got[offered_${name#-}]-0}" 1
		case $name in
		-*) equal "$what: the module leaves them alone" "${got[taken_${name#-}]-none}" "${got[off_taken_${name#-}]-0}" ;;
		*)
			off=${got[off_taken_$name]-0}
			at_least "$what: the module takes some of them in each way" "${got[taken_$name]-0}" $((off + 1))
			;;
		esac
	done
	equal "$what: the same is dropped" "${got[different_drops]-none}" 0 "$(grep '^drops ' <<<"$text")"
	at_most "$what: with mode off the same as well" "${got[unsteady_drops]-9}" 1
	at_least "$what: something is dropped" "${got[drops]-0}" 1
	equal "$what: nothing is written to where others look" "${got[offered_written]-none}" "${got[off_written]-0}"
}

sim_load
scale 60 30 3000
count=$REPLY
nic
compare "a NIC without GRO" "$count" --device sim0 --shapes direct
shapes "a NIC without GRO" direct none unnecessary level complete partial lie pages -list headless odd -gso \
	cloned -shared tag priority_tag no_headroom -empty
all_moved "a NIC without GRO" completed decapsulated delivered accelerated served
compare "segments at once" $((count / 2)) --device sim0 --shapes direct --segments
shapes "segments at once" direct level pages cloned
no_nic

nic
compare "a NIC with GRO" "$count" --device sim0 --shapes gro
shapes "a NIC with GRO" receive frags none unnecessary level complete partial lie pages -list headless odd -gso \
	tag priority_tag no_headroom -empty
all_moved "a NIC with GRO" completed decapsulated delivered accelerated served
kept_long || all_moved "a NIC with GRO" expressed
no_nic
check "the NIC's module unloads" rmmod simnic
finish
