#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A packet socket sees each packet once, at each device.

. "${0%/*}/../lib.sh"
trap ended_early EXIT

# look PLACE...: the flow with packet sockets there; what they saw is in `taps`.
look() {
	local args=() place

	for place; do
		args+=(--tap "$place")
	done
	udp4 --count 40 --sizes 30,600 "${args[@]}"
	taps=$(grep '^tap=' <<<"$report")
}

# alike DESCRIPTION PLACE...: sees the same in both modes. With mode off order is
# not promised: a packet that a socket still holds passes the VXLAN device's GRO
# cells by, one that it has let go waits in them.
alike() {
	local what=$1 off place
	shift

	mode off
	look "$@"
	arrived "$what, mode off" any-order
	off=$taps
	mode sync
	counters
	look "$@"
	counted
	arrived "$what, mode sync"
	equal "$what: the same is seen in both modes" "$taps" "$off"
	for place; do
		matches "$what: each packet is seen once" "$taps" \
			"tap=$place [a-z0-9= ]*unique=40 more_than_once=0"
	done
}

underlay
overlay_bridge
high flow vni=100 protocol=udp destination_port=5001

alike "sockets everywhere" :nic0 :vx100 :c1h c1:eth0 remote:nic1 remote:vx100
equal "the veth's packet socket is the kernel's to serve" "${delta[kernel_tap]} ${delta[delivered]}" "40 0"
alike "sockets at the NIC, the tunnel and in the container" :nic0 :vx100 c1:eth0
ran_to_completion "they do not slow packets down" 40

# The bridge's own sees frames for others where it is promiscuous.
ip link set br100 promisc on
alike "a socket at a promiscuous bridge" :br100
ip link set br100 promisc off
for mode in off sync; do
	mode $mode
	look :br100
	arrived "a socket at a bridge, mode $mode" any-order
	matches "a socket at a bridge, mode $mode: it sees nothing of others" "$taps" "tap=:br100 [a-z0-9= ]*unique=0 "
done
finish
