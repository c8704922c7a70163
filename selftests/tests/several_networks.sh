#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Two VNIs on one port, a third on another: a rule for one is for that one only.

. "${0%/*}/../lib.sh"
trap ended_early EXIT

# join VNI PORT NET CONTAINER NUMBER
join() {
	overlay_addresses "$3"
	vtep_remote "$1" "$2"
	vtep_host "$1" "$2"
	container "$4" "$5"
	on_bridge "$1" "$4"
	flat_addresses "$1" "$4"
}

# reach CONTAINER NET ARG...: the usual flow into that network.
reach() {
	overlay_addresses "$2"
	to=$1 udp4 "${@:3}"
}

underlay
join 100 4789 100 c1 17
join 200 4789 101 c2 18
join 300 8472 102 c3 19

reach c1 100 --count 3
reach c2 101 --count 3
reach c3 102 --count 3

high one vni=100 protocol=udp destination_port=5001
same "VNI 100" reach c1 100 --count 40
ran_to_completion "VNI 100" 40
same "VNI 200 on the same port" reach c2 101 --count 40
equal "no rule is for VNI 200" "${delta[classified]} ${delta[delivered]}" "0 0"
same "VNI 300 on another port" reach c3 102 --count 40
equal "no rule is for VNI 300" "${delta[classified]} ${delta[delivered]}" "0 0"

high two vni=200 protocol=udp destination_port=5001
high three vni=300 protocol=udp destination_port=5001
same "VNI 200 with its rule" reach c2 101 --count 40
ran_to_completion "VNI 200" 40
same "VNI 300 with its rule" reach c3 102 --count 40
ran_to_completion "VNI 300" 40

# The port goes with its last device, in whatever namespace that is, and is then one like any other.
ip link del vx300
ip -n remote link del vx300
high host vni=none protocol=udp destination_port=8472
mode sync
counters
udp_to_host() { wire udp --from remote --destination "$host_ip" --source "$peer_ip" --port 8472 "$@"; }
udp_to_host --count 20
counted
arrived "UDP to the host on the port of a VXLAN device that is gone"
moved
equal "it is a flow of the host" "${delta[completed]} ${delta[decapsulated]}" "20 0" "$REPLY"
finish
