#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# No container reads the tag of class high, nor a priority that the host has set, behind
# a veth or a netkit pair; and on a NIC below a macvlan, which does not scrub, nothing is
# tagged.

. "${0%/*}/../lib.sh"
trap ended_early EXIT

# count NAMESPACE: has nft count datagrams there, with priority 0 and with any other.
count() {
	${1:+ip netns exec $1} nft -f - <<-END
		table inet count {
			counter zero { }
			counter other { }
			chain at_input {
				type filter hook input priority 0;
				udp dport 5001-5002 meta priority 0:0 counter name zero
				udp dport 5001-5002 meta priority != 0:0 counter name other
			}
		}
	END
}

# counted_in NAMESPACE: how many, since it was last asked, as "zero N other N".
counted_in() {
	${1:+ip netns exec $1} nft reset counters |
		awk '/counter/ { kind = $2 } $1 == "packets" { print kind, $2 }' | sort -r | xargs
}

# in_all_modes DESCRIPTION: no datagram to the container has a priority there.
in_all_modes() {
	local both mode isolate all="off 0,sync 0,batch 0,express 0,off 1,sync 1,express 1"

	# On a slow kernel each mode but once.
	scale "$all" "off 0,sync 1,batch 0,express 0" "$all"
	IFS=, read -r -a list <<<"$REPLY"
	for both in "${list[@]}"; do
		read -r mode isolate <<<"$both"
		mode "$mode"
		isolate "$isolate"
		counters
		udp4 --count 10 --window 1
		udp4 --count 10 --window 1 --port 5002
		counted
		equal "$1, mode $mode, isolate $isolate: all have priority 0" "$(counted_in c1)" "zero 20 other 0"
		[ "$both" = "off 0" ] || [ -n "${untouched-}" ] ||
			at_least "$1, mode $mode, isolate $isolate: they were classified" "${delta[classified]}" 10
		[ "$mode" = off ] || [ -z "${is_overlay-}" ] ||
			at_least "$1, mode $mode, isolate $isolate: they ran to completion" "${delta[completed]}" 10
	done
	isolate 0
	mode off
}

is_overlay=1
for pair_kind in veth netkit; do
	if [ $pair_kind = netkit ]; then
		ip link add probe0 type netkit || { skip "netkit" "not in this kernel"; continue; }
		ip link del probe0
	fi
	underlay
	overlay_bridge
	count c1
	high flow vni=100 protocol=udp destination_port=5001
	in_all_modes "$pair_kind"
	nft -f - <<-END
		table netdev host {
			counter given { }
			chain at_vxlan {
				type filter hook ingress device vx100 priority 0;
				udp dport 5001-5002 meta priority set 1:5 counter name given
			}
		}
	END
	in_all_modes "$pair_kind, where the host sets a priority"
	equal "$pair_kind: the host has set it" "$(nft list counters | awk '$1 == "packets" { print $2 }')" $((20 * ${#list[@]}))
	clean
done
pair_kind=veth is_overlay=

# A container at the NIC itself. The host's own packets are tagged only without it.
modprobe -q macvlan
for kind in bridge passthru; do
	underlay
	remote_ip=$peer_ip
	c1_ip=192.168.10.11
	in_ns '' <<<"netns add c1"
	high flow vni=none protocol=udp destination_port=5001
	if [ $kind = bridge ]; then
		count ''
		for mode in sync isolate; do
			case $mode in
			isolate) isolate 1 ;;
			*) mode sync ;;
			esac
			wire udp --from remote --source "$peer_ip" --destination "$host_ip" --count 10
			equal "without a macvlan ($mode) what the host receives is tagged" "$(counted_in '')" "zero 0 other 10"
		done
		isolate 0
		mode off
	fi
	container_on nic0 macvlan mode $kind
	in_ns c1 <<<"address add $c1_ip/24 dev eth0"
	count c1
	# Packets to an address of its own are not the NIC's, so that nothing is looked up.
	[ $kind = passthru ] || untouched=1
	in_all_modes "macvlan, $kind"
	untouched=
	[ $kind = bridge ] || { clean; continue; }
	for mode in sync batch express; do
		mode $mode
		counters
		wire udp --from remote --source "$peer_ip" --destination "$host_ip" --count 10
		counted
		equal "beside a macvlan, mode $mode: nothing is tagged" "$(counted_in '')" "zero 10 other 0"
		equal "beside a macvlan, mode $mode: it was classified" "${delta[classified]}" 10
	done
	clean
done

# One on a VXLAN device, and one on a bond: neither is on the NIC.
underlay
overlay_addresses
vtep_remote
vtep_host
container_on vx100 macvlan mode bridge
in_ns c1 <<<"link set eth0 address 02:00:00:00:00:11 mtu 1430"
flat_addresses 100 c1
count c1
high flow vni=100 protocol=udp destination_port=5001
in_all_modes "macvlan on a VXLAN device"
clean

modprobe -q ipvlan
underlay bond
remote_ip=$peer_ip c1_ip=192.168.10.11
container_on bond7 ipvlan mode l2
in_ns c1 <<<"address add $c1_ip/24 dev eth0"
count c1
high flow vni=none protocol=udp destination_port=5001
in_all_modes "ipvlan on a bond"
clean
finish
