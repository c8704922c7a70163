#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A flow of which some packets exceed what their class may have: these wait, and none
# behind overtakes them, whatever way the others take.

. "${0%/*}/../lib.sh"
trap ended_early EXIT

# exceeds DESCRIPTION COUNTER FUNCTION ARG...: what FUNCTION sends arrives whole and in
# order, and some of it had to wait for that reason.
exceeds() {
	local what=$1 counter=$2
	shift 2

	counters
	"$@"
	counted
	moved
	arrived "$what"
	at_least "$what: something is $counter" "${delta[$counter]}" 1 "$REPLY"
	at_least "$what: something is not" \
		"$((delta[classified] - ${delta[$counter]} - delta[displaced]))" 1 "$REPLY"
	check "$what: all that waited were served" wait_for 5 reconciles
}

# tcp_exceeds DESCRIPTION COUNTER: the same of a connection.
tcp_exceeds() {
	counters
	wire tcp --from remote --to c1 --destination "$c1_ip" --port 5004 --up 400 --down 400
	counted
	moved
	equal "$1, TCP is intact" "${got[lost]-} ${got[up]-} ${got[down]-}" "0 409600 409600" "$report"
	at_least "$1, TCP: something is $2" "${delta[$2]}" 1 "$REPLY"
}

underlay
overlay_bridge
udp4 --count 3
udp6 --count 3
scale 600 200
n=$REPLY
# Packets a second, which a slow kernel in a busy host exceeds too.
scale 500 20 500
rate=$REPLY

# By its rate. A connection has fewer packets in a second.
for class in high interactive; do
	rule four vni=100 protocol=udp "destination=$c1_ip" class=$class rate="$rate"
	rule six vni=100 protocol=udp "destination=$c1_ip6" class=$class rate="$rate"
	rule tcp vni=100 protocol=tcp destination_port=5004 class=$class rate=20
	knob accelerate $class
	settings
	for each in $REPLY; do
		setting "$each"
		what="class $class beyond its rate, $REPLY"
		exceeds "$what" demoted udp4 --count "$n" --window 16
		exceeds "$what, IPv6" demoted udp6 --count "$n" --window 16 --sizes 0-40,1000
		tcp_exceeds "$what" demoted
	done
	isolate 0
	remove_rules
done
knob accelerate high

# In mode off isolation alone has something wait.
high four vni=100 protocol=udp "destination=$c1_ip" rate="$rate"
mode off
isolate 1
counters
udp4 --count "$n" --window 16
counted
arrived "beyond its rate, mode off, isolate 1"
at_least "beyond its rate, mode off, isolate 1: something waits" "${delta[deferred_normal]}" 1
isolate 0
remove_rules

# By the share of the class, which a CPU's flows have together, while others wait: more of both than the
# CPU can serve comes from another NIC.
high four vni=100 protocol=udp "destination=$c1_ip" destination_port=5001
high simhigh vni=none protocol=udp destination_port=6001
rule simmuch vni=none protocol=udp destination_port=6003 class=bulk
knob high_share 1
# All of it has room.
knob limit 1000000
knob limit_bytes $((1 << 30))
sim_load
sim_up
for n in 6001 6003; do
	echo "$sim_ip $n" >"$sim"/sinks
done
# For about as long as the flow takes.
scale "200000 500" "40000 2500" "200000 500"
read -r much duration <<<"$REPLY"
from="source=$sim_peer_ip destination=$sim_ip"
echo "high rate=$much destination_port=6001 $from" >"$sim"/flows
echo "much rate=$much destination_port=6003 $from" >"$sim"/flows
echo "$duration" >"$sim"/duration_ms
interrupt
read -r receiver </proc/irq/"$REPLY"/effective_affinity_list
for mode in off sync batch express; do
	mode $mode
	isolate 1
	for ((tries = 0, capped = 0; tries < 4 && capped == 0; tries++)); do
		counters
		taskset -c "$receiver" tee "$sim"/running <<<1 >/dev/null
		udp4 --count $((n * 2)) --window 120 --patience 20000
		wait_for 60 sim_is_over || fail "beyond its share, mode $mode: the other NIC's traffic ends"
		counted
		arrived "beyond its share, mode $mode"
		capped=${delta[capped]}
	done
	moved
	note "$REPLY"
	at_least "beyond its share, mode $mode: something is capped" "$capped" 1
	check "beyond its share, mode $mode: all that waited were served" wait_for 5 reconciles
	isolate 0
done
sim_down
restore_knobs
finish
