#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# One VLAN tag inside the tunnel: bridges that filter VLANs, containers with VLAN
# devices.

. "${0%/*}/../lib.sh"
trap ended_early EXIT

# tagged NAMESPACE DEVICE IP IP6: these addresses are on a VLAN of the device.
tagged() {
	in_ns "$1" <<-END
		address flush dev $2
		link add link $2 name vlan5 type vlan id 5
		link set vlan5 mtu 1400 up
		address add $3/24 dev vlan5
		address add $4/64 dev vlan5 nodad
	END
}

underlay
overlay_bridge
tagged remote vx100 "$remote_ip" "$remote_ip6"
high high4 vni=100 protocol=udp "destination=$c1_ip" destination_port=5001
high high6 vni=100 protocol=udp "destination=$c1_ip6" destination_port=5001

# The bridge takes the tag off for c1, and has c2 in another VLAN.
ip link set br100 type bridge vlan_filtering 1 vlan_default_pvid 0
bridge -batch - <<-END
	vlan add dev vx100 vid 5
	vlan add dev c1h vid 5 pvid untagged
	vlan add dev c2h vid 6 pvid untagged
END
udp4 --count 5
udp6 --count 5
same "a tagged flow to an untagged port" udp4 --count 40 --sizes 30,1300
ran_to_completion "a tagged flow to an untagged port" 40
same "the same over IPv6" udp6 --count 40 --sizes 30,1300
ran_to_completion "the same over IPv6" 40

bridge vlan del dev c1h vid 5
dropped "a bridge that filters VLANs"

# The tag goes through to a VLAN device in the container.
ip link set br100 type bridge vlan_filtering 0
tagged c1 eth0 "$c1_ip" "$c1_ip6"
udp4 --count 5
same "a tag that goes through to the container" udp4 --count 40 --sizes 30,1300
equal "it is classified" "${delta[classified]} ${delta[decapsulated]}" "40 $((40 - delta[kernel_refresh]))"
at_least "and delivered, or left to the kernel" "$((delta[delivered] + delta[kernel_other]))" 40

# What GRO has merged behind the tag takes the way of the others.
knob accelerate bulk
counters
wire tcp --from remote --to c1 --destination "$c1_ip" --port 5004 --up 4000
counted
equal "TCP behind a tag" "${got[lost]-} ${got[up]-}" "0 4096000" "$report"
at_least "its packets are decapsulated" "${delta[decapsulated]}" 50
equal "merged ones, too" "${delta[kernel_features]}" 0
restore_knobs
finish
