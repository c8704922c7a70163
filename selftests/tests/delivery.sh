#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The last step, into the container, where something stands in the way: XDP,
# qdiscs, MTUs, devices that are down, veth pairs with more to them.

. "${0%/*}/../lib.sh"
trap ended_early EXIT

in_container() { ip netns exec c1 "$@"; }

# left DESCRIPTION COUNTER: 20 packets were left to the kernel for that reason.
left() {
	equal "$1: the packets are left to the kernel" "${delta[$2]} ${delta[delivered]}" "20 0"
}

# xdp MODE PROGRAM
xdp() {
	in_container ip link set eth0 "$1" obj "$SELFTESTS/bin/xdp.o" program "prism_$2"
}

xdp_seen() {
	bpftool map dump name prism_seen | sed -n 's/.*"value": \([0-9]*\).*/\1/p; s/^key.*value: *//p' | tail -n 1
}

underlay
overlay_bridge
high flow vni=100 protocol=udp destination_port=5001
udp4 --count 5

for kind in xdpdrv xdpgeneric; do
	xdp $kind pass || fail "a program loads"
	same "$kind program that passes" udp4 --count 20
	[ $kind = xdpgeneric ] || left "$kind" kernel_xdp
	in_container ip link set eth0 $kind off
	xdp $kind drop || fail "a program loads"
	for mode in off sync; do
		mode $mode
		udp4 --count 20 --patience 100
		equal "$kind program drops in mode $mode" "${got[received]-} of ${got[sent]-}" "0 of 20"
		udp6 --count 20
		arrived "what the $kind program passes, in mode $mode,"
	done
	in_container ip link set eth0 $kind off
done
counters
udp4 --count 20
counted
ran_to_completion "with the program gone" 20

for qdisc in "tbf rate 100mbit burst 100kb latency 1s" "netem delay 3ms" fq_codel "prio"; do
	# shellcheck disable=SC2086
	if ! tc qdisc add dev c1h root $qdisc; then
		skip "qdisc ${qdisc%% *}" "not in this kernel"
		continue
	fi
	same "qdisc ${qdisc%% *}" udp4 --count 20
	left "qdisc ${qdisc%% *}" kernel_qdisc
	at_least "qdisc ${qdisc%% *} sees the packets" \
		"$(tc -s qdisc show dev c1h | awk '$1 == "Sent" { print $4; exit }')" 40
	tc qdisc del dev c1h root
done

# Of two sizes, the larger does not fit the container's device.
echo "link set eth0 mtu 1280" | in_ns c1
for mode in off sync; do
	mode $mode
	counters
	udp4 --count 20 --sizes 200,1340 --patience 100
	counted
	equal "what exceeds the container's MTU is dropped in mode $mode" \
		"${got[received]-} of ${got[sent]-}, ${got[corrupt]-} corrupt" "10 of 20, 0 corrupt"
done
equal "that is the kernel's to drop" "${delta[kernel_mtu]} ${delta[delivered]}" "10 10"
echo "link set eth0 mtu 1430" | in_ns c1

# The host's end or the container's is down.
for mode in off sync; do
	mode $mode
	echo "link set eth0 down" | in_ns c1
	udp4 --count 20 --patience 100
	equal "nothing is received by a device that is down, in mode $mode" "${got[received]-} of ${got[sent]-}" "0 of 20"
	# What was held behind the change of the mode is to come to it as well.
	pause "$gate_opens"
	in_ns c1 <<-END
		link set eth0 up
		address replace $c1_ip6/64 dev eth0 nodad
	END
	udp4 --count 20
	equal "all is received when it is up again" "${got[lost]-} ${got[corrupt]-}" "0 0"
done
in_ns '' <<<"link set c1h down"
udp4 --count 20 --patience 100
equal "nothing goes through the host's end when it is down" "${got[received]-} of ${got[sent]-}" "0 of 20"
in_ns '' <<<"link set c1h up"
# BR_STATE_FORWARDING
check "the bridge's port forwards again" wait_for 3 grep -qx 3 /sys/class/net/c1h/brport/state
udp4 --count 20
equal "all is received when the host's end is up again" "${got[lost]-} ${got[corrupt]-}" "0 0"

# Veth with GRO, that is with a NAPI of its own, and with several queues.
in_container ethtool -K eth0 gro on
same "a veth with a NAPI of its own" udp4 --count 20
in_container ethtool -K eth0 gro off
in_container ethtool -L eth0 rx 1 tx 1 2>/dev/null
echo "link del c1h" | in_ns ''
echo "link add c1h numtxqueues 2 numrxqueues 2 type veth peer name eth0 netns c1 numtxqueues 2 numrxqueues 2" | in_ns ''
in_ns '' <<-END
	link set c1h up
	link set c1h master br100
END
in_ns c1 <<-END
	link set eth0 address 02:00:00:00:00:11 mtu 1430 up
	address add $c1_ip/24 dev eth0
	address add $c1_ip6/64 dev eth0 nodad
END
same "a veth with several queues" udp4 --count 20
equal "it gets what it got" "$((delta[delivered] + delta[kernel_other]))" 20
finish
