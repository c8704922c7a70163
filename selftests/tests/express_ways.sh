#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Mode express where a packet comes in other ways than through an IPv4 tunnel from
# a plain NIC: the short way or the kernel's, the container receives the same.

. "${0%/*}/../lib.sh"
trap ended_early EXIT

# Packets of a flow that show the way, in the beginning and once a second.
learners=16

# The ingress hook keeps packets from the short way until the NIC is known to have GRO.
hook_goes() {
	udp4 --count 3
	wait_for 20 has_no_ingress nic0 || fail "the ingress hook goes"
}

# went short|long DESCRIPTION COUNT: of COUNT packets nearly all, or none, went the
# short way.
went() {
	moved
	case $1 in
	short) at_least "$2: the short way" "${delta[expressed]}" $(($3 - learners)) "$REPLY" ;;
	long) equal "$2: the kernel's way" "${delta[expressed]}" 0 "$REPLY" ;;
	esac
	equal "$2: each packet runs to completion" "${delta[completed]}" "$3" "$REPLY"
}

# flows HOW DESCRIPTION: both families, and what does not go the short way.
flows() {
	local n settle=

	[ "$1" = long ] || settle=hook_goes
	high_flows 100
	scale 80 40
	n=$REPLY
	same_in express "$2, UDP over IPv4" udp4 --count "$n" --sizes 0-40,1000,1380
	went "$1" "$2, UDP over IPv4" "$n"
	same_in express "$2, UDP over IPv6" udp6 --count "$n" --sizes 0-40,1000,1380
	went "$1" "$2, UDP over IPv6" "$n"
	same_in express "$2, UDP in fragments" udp4 --count 3 --window 1 --sizes 1500,65000
	remove_rules
	high tcp vni=100 protocol=tcp "destination=$c1_ip"
	wire tcp --from remote --to c1 --destination "$c1_ip" --port 5004 --up 500 --down 500
	equal "$2, TCP in both directions" "${got[lost]-} ${got[up]-} ${got[down]-}" "0 512000 512000" "$report"
}

short=short
! kept_long || short=long

underlay
overlay_bridge 100 4789 6
flows $short "a tunnel over IPv6"
clean

underlay
overlay_bridge_in_netns
flows $short "VXLAN device and bridge in a namespace"
clean

# RPS sends a packet to another CPU behind GRO, where no hook is.
underlay
overlay_bridge
printf "%x" $(((1 << $(nproc)) - 1)) >/sys/class/net/nic0/queues/rx-0/rps_cpus
flows long "RPS"
echo 0 >/sys/class/net/nic0/queues/rx-0/rps_cpus
clean

for kind in nogro threaded vlan bond tap-offload; do
	underlay $kind
	overlay_bridge
	how=long
	case $kind in
	tap*) echo tap0 >"$PRISM"/devices ;;
	threaded) how=$short ;;
	esac
	flows $how "$kind"
	clean
done
finish
