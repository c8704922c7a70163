#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# VXLAN devices with options, and devices whose packets end on the host: what
# the module does not do itself it leaves to the driver, whole.

. "${0%/*}/../lib.sh"
trap ended_early EXIT

# overlay OPTION...: the usual one, with options on both VXLAN devices.
overlay() {
	overlay_addresses
	vtep_remote 100 4789 4 "$@"
	vtep_host 100 4789 4 "$@"
	container c1 17
	on_bridge 100 c1
	flat_addresses 100 c1
}

# try DESCRIPTION HOW OPTION...: HOW is `self` where the module decapsulates, or
# the counter of what it leaves to the driver.
try() {
	local what=$1 how=$2
	shift 2

	underlay
	overlay "$@"
	high flow vni=100 protocol=udp destination_port=5001
	udp4 --count 5
	same "$what" udp4 --count 30 --sizes 50,1200
	if [ "$how" = self ]; then
		ran_to_completion "$what" 30
	else
		equal "$what: the driver decapsulates" "${delta[$how]} ${delta[decapsulated]}" "30 0"
	fi
	clean
}

try "without UDP checksums" self noudpcsum
try "without learning" self nolearning
try "group policy" kernel_features gbp
# Its packets have a flag of their own.
try "remote checksum offload" unclassified_tunnel_flags remcsumtx remcsumrx
try "inherited TOS and TTL" self tos inherit ttl 3

# A device without a remote, which collects metadata, and one that filters VNIs:
# packets end on the host, at the device's own address.
own_ip=10.100.0.1
for options in "id 100" external "external vnifilter"; do
	underlay
	overlay_addresses
	vtep_remote
	# shellcheck disable=SC2086
	ip link add vx100 address 02:00:00:00:00:01 type vxlan $options dstport 4789 local "$host_ip" ||
		{ skip "VXLAN device with $options" "not in this kernel"; clean; continue; }
	in_ns '' <<-END
		link set vx100 up
		address add $own_ip/24 dev vx100
	END
	case $options in
	*vnifilter) bridge vni add dev vx100 vni 100 ;;
	esac
	in_ns remote <<-END
		address add $remote_ip/24 dev vx100
		neighbor replace $own_ip lladdr 02:00:00:00:00:01 dev vx100
	END
	high flow vni=100 protocol=udp destination_port=5001
	to_own() { wire udp --from remote --source "$remote_ip" --destination "$own_ip" "$@"; }
	same "to the address of a device with $options" to_own --count 30
	case $options in
	external*) equal "$options: the driver decapsulates" "${delta[kernel_features]} ${delta[decapsulated]}" "30 0" ;;
	*) equal "it is decapsulated, and nothing is delivered further" \
		"$((delta[decapsulated] + delta[kernel_refresh] + delta[kernel_learn])) ${delta[delivered]}" "30 0" ;;
	esac
	clean
done
finish
