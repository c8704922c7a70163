#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What the frames come in through: NICs with and without GRO, threaded NAPI,
# tap devices, a VLAN device and a bond on a NIC.

. "${0%/*}/../lib.sh"
trap ended_early EXIT

# try KIND: a short version of what each topology goes through.
try() {
	local kind=$1 n
	note "underlay $kind"

	underlay "$kind"
	overlay_bridge
	case $kind in
	tap*) echo tap0 >"$PRISM"/devices ;;
	esac
	high_flows 100
	scale 83 41
	n=$REPLY
	same "$kind, UDP over IPv4" udp4 --count "$n" --sizes 0-40,1000,1380
	ran_to_completion "$kind, UDP over IPv4" "$n"
	same "$kind, UDP over IPv6" udp6 --count "$n" --sizes 0-40,1000,1380
	ran_to_completion "$kind, UDP over IPv6" "$n"
	same "$kind, UDP in fragments" udp4 --count 3 --window 1 --sizes 1500,65000
	# The debug kernel, which is slow, sees these with the other kinds.
	case $DEBUG_KERNEL$kind in
	?*vlan | ?*bond | ?*rtl8139 | ?*tap | ?*tap-offload) ;;
	*)
		exercise_ways
		exercise_tcp 2
		;;
	esac
	clean
}

for kind in nogro threaded e1000e rtl8139 vlan bond tap tap-offload tap-fragments; do
	case $kind in
	e1000e) has_nic 2 || { skip "underlay $kind" "no such NIC in this guest"; continue; } ;;
	rtl8139) has_nic 4 || { skip "underlay $kind" "no such NIC in this guest"; continue; } ;;
	esac
	try $kind
done
finish
