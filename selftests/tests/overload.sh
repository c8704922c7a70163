#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Many times what the CPU can serve, for long: memory stays as it is, and each packet
# is accounted for. OVERLOAD_SECONDS: how long.

. "${0%/*}/../lib.sh"
. "${0%/*}/../lib/memory.sh"
trap ended_early EXIT

from="source=$sim_peer_ip destination=$sim_ip"
scale 8 3 60
seconds=${OVERLOAD_SECONDS:-$REPLY}
# Packets a second, and how many KiB of memory may come and go. What finds leaks needs
# memory itself, and is slow.
high=2000 bulk=400000 slack=4096
[ -z "$DEBUG_KERNEL" ] || high=200 bulk=60000 slack=32768

# in_use: memory that is not free, in KiB, in REPLY.
in_use() {
	local name value _ spare

	spare=$(at_hand)
	while read -r name value _; do
		case $name in
		MemTotal:) REPLY=$value ;;
		MemFree: | Buffers: | Cached:) REPLY=$((REPLY - value)) ;;
		esac
	done </proc/meminfo
	REPLY=$((REPLY - spare))
}

sim_load
sim_up
echo "$sim_ip 5001" >"$sim"/sinks
echo "$sim_ip 5003" >"$sim"/sinks
rule high vni=none protocol=udp destination_port=5001
rule bulk vni=none protocol=udp destination_port=5003 class=bulk
mode express
echo bulk >"$PRISM/accelerate"
isolate 1
echo "high rate=$high arrivals=random seed=1 destination_port=5001 $from" >"$sim"/flows
echo "much rate=$bulk arrivals=random seed=2 destination_port=5003 $from" >"$sim"/flows
counters
high_lost=0 during=() after=()
total=0 total_received=0 total_ring=0 unaccounted=''
# In rounds, as the NIC has a list of what is to arrive.
for ((n = 0; n < seconds; n++)); do
	echo 1000 >"$sim"/duration_ms
	echo 1 >"$sim"/running
	pause 0.6
	in_use
	during+=("$REPLY")
	wait_for 120 sim_is_over
	pause 0.2
	in_use
	after+=("$REPLY")
	read -r sent received ring <<<"$(sim_flow high)"
	[ "$sent" = $((received + ring)) ] || unaccounted+="$received of $sent, $ring in the ring; "
	high_lost=$((high_lost + ring))
	read -r sent received ring <<<"$(sim_flow much)"
	total=$((total + sent)) total_received=$((total_received + received)) total_ring=$((total_ring + ring))
done
counted
note "in use meanwhile and after: ${during[0]} ${after[0]} ... ${during[-1]} ${after[-1]} KiB"
at_least "it is too much by far" $((total / (total_received + 1))) 2
note "of class high the ring lost $high_lost"
equal "of class high nothing is lost but in the NIC's ring" "${unaccounted:-nothing}" nothing
equal "of class bulk each packet is received or counted" \
	$((total_received + total_ring + delta[dropped_bulk])) $total
check "what waited was served or dropped" wait_for 5 reconciles
# The first round has caches fill.
at_most "memory does not grow meanwhile" $((during[-1] - during[1])) $slack
at_most "nor from round to round" $((after[-1] - after[1])) $slack
at_most "what waits is bounded" $((during[-1] - after[-1])) $((slack + 16384))
isolate 0
echo high >"$PRISM/accelerate"
mode off
sim_down
finish
