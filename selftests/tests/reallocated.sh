#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Whenever the kernel may move the head of a packet elsewhere, it does: who keeps a pointer
# into a packet for too long reads what was freed, which KASAN finds. All arrives.

. "${0%/*}/../lib.sh"
. "${0%/*}/../lib/faults.sh"
. "${0%/*}/../lib/differential.sh"
faults+=(fail_skb_realloc)
faults_ready

# heads_move 1|0: behind GRO, which itself reads outer headers that have moved, without the
# module too (udp4_gro_receive(), udp6_gro_receive()).
heads_move() {
	local first

	if [ "$1" = 1 ]; then
		# These and __netif_receive_skb_list_core() are one behind the other.
		code_of __netif_receive_skb_core
		first=${REPLY% *}
		code_of __netif_receive_skb
		only_from 32 "$first" "${REPLY#* }" fail_skb_realloc
	fi
	fault_attribute fail_skb_realloc probability $((100 * $1))
}

# moved_heads: how often they did, in REPLY.
most=1000000
moved_heads() {
	read -r REPLY <"$debugfs"/fail_skb_realloc/times
	REPLY=$((most - REPLY))
}

# arrives DESCRIPTION: in the mode that is set.
arrives() {
	local what=$1

	fault_attribute fail_skb_realloc times $most
	heads_move 1
	udp4 --count "$count" --sizes "50,1000"
	# The VXLAN driver's own calls have a packet lose its clone, so that it can't be taken back.
	arrived "$what, IPv4" any-order
	udp6 --count "$count" --sizes "50,1000"
	arrived "$what, IPv6" any-order
	wire tcp --from remote --to c1 --destination "$c1_ip" --port 5003 --up "$count" --down "$count"
	equal "$what: TCP is intact" "${got[lost]-none}" 0 "$report"
	heads_move 0
	moved_heads
	at_least "$what: heads move" "$REPLY" "$count"
	check "$what: the counters reconcile" wait_for 5 reconciles
}

# arrives_in_all_modes UNDERLAY
arrives_in_all_modes() {
	local mode

	high udp vni=100 protocol=udp destination_port=5001
	high tcp vni=100 protocol=tcp
	for mode in sync batch express; do
		mode $mode
		arrives "$1, mode $mode"
	done
	isolate 1
	knob accelerate bulk
	arrives "$1, mode express with isolation for all"
	restore_knobs
	isolate 0
}

scale 100 100 1000
count=$REPLY
underlay
overlay_bridge
arrives_in_all_modes NIC
clean
underlay tap-fragments
echo tap0 >"$PRISM"/devices
overlay_bridge
arrives_in_all_modes fragments
clean

ip tuntap add tap0 mode tap vnet_hdr
differential_topology tap0
differential_rules
echo tap0 >"$PRISM"/devices
scale 20 20 1000
count=$REPLY
fault_attribute fail_skb_realloc times $most
heads_move 1
compare "all kinds of frames" "$count" --pieces
heads_move 0
moved_heads
at_least "all kinds of frames: heads move" "$REPLY" "$count"
all_moved "all kinds of frames" completed decapsulated delivered accelerated served kept
faults_over
finish
