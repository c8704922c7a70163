#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Everything changes at random under traffic: settings, rules, containers, bridges,
# VXLAN devices, NICs, CPUs, the module. By turns there are sections in which nothing of
# a flow's own way is taken down, so that nothing of it is lost, and those in which it is.
# SOAK_SECONDS: how long, a minute or two where it is not said. SOAK_SEED: the one that is
# printed has the same changes come.

. "${0%/*}/../lib.sh"
. "${0%/*}/../lib/memory.sh"
. "${0%/*}/../lib/soak.sh"
trap ended_early EXIT

scale 60
[ -z "$DEBUG_KERNEL" ] || scale 120
seconds=${SOAK_SECONDS:-$REPLY}
section=$((seconds / 4 > 20 ? 20 : seconds / 4))
seeded SOAK_SEED
note "$seconds s in sections of $section s"

# start_flows PATIENCE: to c1, of what the NIC's ring holds at a time.
start_flows() {
	background four udp --from remote --to c1 --source "$remote_ip" --destination "$c1_ip" \
		--count 0 --window 40 --patience "$1"
	background six udp --from remote --to c1 --source "$remote_ip6" --destination "$c1_ip6" \
		--port 5002 --count 0 --window 4 --sizes 0-40,1000 --patience "$1"
	background tcp tcp --from remote --to c1 --destination "$c1_ip" --port 5004 --endless
}

# end_tcp WHAT
end_tcp() {
	equal "$1: TCP goes on" "$(running tcp && echo yes)" yes "${changes[*]}"
	ended tcp
	equal "$1: TCP is intact" "${got[lost]-}" 0 "$report" "${changes[*]}"
}

# gentle NUMBER: nothing is lost.
gentle() {
	local until=$((SECONDS + section)) flow before

	changes=() may_lose=
	lost_so_far
	before=$REPLY
	start_flows 2000
	# Whatever is drawn, ways are learnt.
	mode express
	pause 1.5
	while [ $SECONDS -lt $until ]; do
		change
	done
	guests_leave
	for flow in four six; do
		ended $flow
		equal "section $1: nothing of flow $flow is lost, doubled or changed" \
			"${got[lost]-} ${got[duplicate]-} ${got[corrupt]-}" "0 0 0" "$report" "${changes[*]}"
		received=$((received + ${got[received]-0}))
	done
	end_tcp "section $1"
	settled "section $1"
	lost_so_far
	equal "section $1: nothing is counted as lost" $((REPLY - before)) 0 "${changes[*]}"
}

# rough NUMBER: what is lost at the NIC of the measurements is counted, each packet; of
# the others, flows survive.
rough() {
	local until=$((SECONDS + section)) flow sent=0 arrived=0 ring=0 dropped now got_now lost_now

	changes=() may_lose=1
	start_flows 200
	read -r dropped </sys/class/net/sim0/statistics/rx_dropped
	echo $((section * 1000)) >"$sim"/duration_ms
	echo 1 >"$sim"/running
	# Whatever is drawn, something waits and is dropped.
	echo auto >"$PRISM"/devices
	echo 0 >"$RULES"/simmuch/enabled
	isolate 1
	knob limit 16
	pause 0.5
	while [ $SECONDS -lt $until ]; do
		change
		[ $((RANDOM % 6)) != 0 ] || break_something
		[ $((RANDOM % 4)) != 0 ] || { pick 16 64 300 1000 && knob limit "$REPLY"; }
	done
	knob limit 1000
	guests_leave
	check "section $1: the NIC has handed over all" wait_for 120 sim_is_over
	check "section $1: what waited was served or dropped" wait_for 5 reconciles
	# What is held goes on within moments.
	pause 0.2
	for flow in high some much; do
		read -r now got_now lost_now <<<"$(sim_flow $flow)"
		sent=$((sent + now)) arrived=$((arrived + got_now)) ring=$((ring + lost_now))
	done
	read -r now </sys/class/net/sim0/statistics/rx_dropped
	dropped=$((now - dropped))
	equal "section $1: of $sent packets each is received, lost in the NIC's ring or counted as dropped" \
		"$((arrived + ring + dropped))" "$sent" "received $arrived, ring $ring, dropped $dropped" "${changes[*]}"
	total_dropped=$((total_dropped + dropped))
	for flow in four six; do
		ended $flow
		equal "section $1: nothing of flow $flow is doubled or changed" \
			"${got[duplicate]-} ${got[corrupt]-}" "0 0" "$report" "${changes[*]}"
	done
	end_tcp "section $1"
	settled "section $1"
}

# settled WHAT: as at the start, and what came was served.
settled() {
	cpus_come
	check "$1: what waited was served or dropped" wait_for 5 reconciles
	equal "$1: nothing is broken" "$(<"$PRISM"/broken)" none
	add_counts
	udp4 --count 5
	udp4 --count 30
	arrived "$1: afterwards, a flow" any-order
	[ ${#changes[@]} -gt 3 ] || fail "$1: something changed" "${changes[*]}"
	steps=$((steps + ${#changes[@]}))
}

# what_is: what is to be as it was.
what_is() {
	mode off
	isolate 0
	echo auto >"$PRISM"/devices
	printf '%s\n' /sys/class/net/* /run/netns/* "$RULES"/* "hooks $(prism_hooks)"
}

steps=0 received=0 total_dropped=0
underlay
overlay_bridge
second_network
ip netns exec c1 sysctl -qw net.ipv4.tcp_rmem="4096 65536 65536"
udp4 --count 3
udp6 --count 3
sim_start
make_rules
add_counts
counts=()

# Each of the two once, until caches are full.
gentle "0 (warm-up)"
rough "0 (warm-up)"
at_first=$(what_is)
memory_before
steps=0 end=$((SECONDS + seconds - 2 * section))
for ((n = 1; SECONDS < end; n += 2)); do
	gentle $n
	rough $((n + 1))
done
equal "devices, namespaces, rules and hooks are as at the start" "$(what_is)" "$at_first"
memory_flat "$steps changes" "$steps"
# In make soak there are several runs in a guest.
first=/run/selftests.soak all=$steps
if [ -e $first ]; then
	# shellcheck source=/dev/null
	. $first
	all=$((all + steps))
	memory_flat "$all changes since the first run" "$all"
fi
{ declare -p held_before && echo "all=$all"; } >$first
at_least "much was received" "$received" 500
at_least "something was dropped and counted" "$total_dropped" 1
for name in "${what_counts[@]}"; do
	at_least "something was $name" "${counts[$name]-0}" 1
done
note "$(for name in "${!kinds[@]}"; do printf '%s:%s ' "$name" "${kinds[$name]}"; done)"
remove_rules
sim_down
restore_knobs
finish
