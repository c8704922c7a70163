#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Forwarding databases: entries of the VXLAN device and of the bridge appear,
# stay while there is traffic, move, and age out.

. "${0%/*}/../lib.sh"
trap ended_early EXIT

silent_mac=02:00:00:00:00:33
other_ip=192.168.10.3

# entry MAC: where the VXLAN device has it.
entry() { bridge fdb show dev vx100 | sed -n "s/^$1 dst \([^ ]*\).*/\1/p"; }
# port MAC: the bridge's port for it.
port() { bridge fdb show br br100 | sed -n "s/^$1 dev \([^ ]*\) master.*/\1/p"; }
# idle MAC: seconds since the VXLAN device's entry was refreshed.
idle() { bridge -s fdb show dev vx100 | sed -n "s/^$1 dst .*used [0-9]*\/\([0-9]*\).*/\1/p"; }

underlay
overlay_bridge
ip link set vx100 type vxlan ageing 4
high flow vni=100 protocol=udp destination_port=5001
mode sync

udp4 --count 30
arrived "a flow from a new address"
equal "the VXLAN device learns it" "$(entry "$remote_mac")" "$peer_ip"
equal "the bridge learns it" "$(port "$remote_mac")" vx100

# One that is silent from now on.
equal "no entry for an address that was never seen" "$(entry $silent_mac)" ""
counters
wire inject valid --only plain-v4 --source-mac $silent_mac
counted
equal "a second address is learnt" "$(entry $silent_mac)" "$peer_ip"
equal "the driver learns it" "${delta[kernel_learn]}" 1
silent_since=$SECONDS

# An address that moves to another VTEP.
ip -n remote address add $other_ip/24 dev nic1
counters
wire inject valid --only plain-v4 --outer-source $other_ip
counted
matches "a packet from another VTEP arrives" "$report" "got plain-v4"
# What the first VTEP sends by itself, such as ARP, may have moved it back.
at_least "the driver moves the address there" "${delta[kernel_learn]}" 1
counters
udp4 --count 10
counted
arrived "a flow from the first VTEP again"
equal "the address moves back" "$(entry "$remote_mac")" "$peer_ip"
# Unless what is no packet of the flow, such as ARP, has moved it before.
if [ "${delta[kernel_learn]}" -le 1 ]; then
	pass "one packet at most is left to the driver"
else
	fail "one packet at most is left to the driver" "${delta[kernel_learn]} were"
fi

# A static entry does not move: the driver drops what contradicts it.
static_mac=02:00:00:00:00:44
bridge fdb add $static_mac dev vx100 dst $other_ip static
for mode in off sync; do
	mode $mode
	wire inject valid --only plain-v4 --source-mac $static_mac
	at_least "a packet that contradicts a static entry comes in mode $mode" "${got[arrived]-0}" "${got[sent]-1}"
	equal "a packet that contradicts a static entry is dropped in mode $mode" \
		"$(grep -c ^got <<<"$report")" 0
done
equal "the static entry stays" "$(entry $static_mac)" $other_ip

# Traffic keeps an entry alive; silence lets it go. The driver looks 10 s after
# the device came up, and then when an entry is due.
background keep udp --from remote --to c1 --source "$remote_ip" --destination "$c1_ip" --rate 40 --count 0
counters
oldest=0
gone=
while [ $((SECONDS - silent_since)) -lt 16 ] && [ -z "$gone" ]; do
	pause 0.7
	now=$(idle "$remote_mac")
	[ "${now:-99}" -le "$oldest" ] || oldest=${now:-99}
	[ -n "$(entry $silent_mac)" ] || gone=yes
done
ended keep
counted
arrived "the flow that keeps its address alive"
equal "a silent address ages out" "$gone" yes
equal "the address of the flow stays" "$(entry "$remote_mac")" "$peer_ip"
at_most "it is refreshed all the time" "$oldest" 2
at_least "most packets run to completion all the while" "${delta[delivered]}" \
	$((${got[received]:-0} * 8 / 10))
equal "the bridge's entry stays" "$(port "$remote_mac")" vx100
finish
