#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Packets with headers that are not true, to a flow of class high whose way is known:
# what becomes of them is what becomes of them without the module.

. "${0%/*}/../lib.sh"
trap ended_early EXIT

other_vtep=192.168.10.77
c2_mac=02:00:00:00:00:12

# forge DESCRIPTION ARG...: such packets, behind true ones that have shown the way.
forge() {
	local what=$1
	shift

	# What the one before has taught the bridge.
	bridge -batch - <<-END
		fdb replace 02:00:00:00:00:11 dev c1h master dynamic
		fdb replace $c2_mac dev c2h master dynamic
	END
	wire inject valid --only plain --times 4
	true_ones=$report
	counters
	wire inject valid --only plain --times 3 "$@"
	counted
	got_of[$what]=$(grep '^got' <<<"$report" || echo nothing)
}

declare -A got_of off_got
# Each name and what is forged.
forgeries() {
	forge "the source of the tunnel" --outer-source 203.0.113.9
	forge "another VTEP" --outer-source $other_vtep
	forge "the host as the source of the tunnel" --outer-source "$host_ip"
	forge "the destination of the tunnel" --outer-destination 192.168.10.99
	forge "a network that the host does not have" --vni 101
	forge "another network of the host" --vni 200
	forge "the address of a neighbour as the sender's" --source-mac $c2_mac
	forge "the receiver's address as the sender's" --source-mac 02:00:00:00:00:11
	forge "the VXLAN device's address as the sender's" --source-mac "$vx_mac"
	forge "the address of a neighbour as the receiver's" --destination-mac $c2_mac
	forge "an address that nobody has as the receiver's" --destination-mac 02:00:00:00:00:99
	forge "an address with a static entry as the sender's" --source-mac 02:00:00:00:00:44
	forge "the inner source" --source 10.100.0.11
	! has_nic 2 || forge "another NIC" --device nic3 --receiver nic2
}

underlay
overlay_bridge
# Another network, with nobody in it.
in_ns '' <<-END
	link add vx200 type vxlan id 200 dstport 4789 local $host_ip dev nic0
	link add br200 type bridge
	link set vx200 master br200 up
	link set br200 up
END
if has_nic 2; then
	in_ns '' <<<"link set nic2 up"
	in_ns remote <<<"link set nic3 up"
fi
bridge fdb add 02:00:00:00:00:44 dev vx100 dst $other_vtep static
read -r vx_mac </sys/class/net/vx100/address
# Nobody is to ask for addresses in between.
in_ns c1 <<-END
	neighbor replace $remote_ip lladdr $remote_mac dev eth0
	neighbor replace $remote_ip6 lladdr $remote_mac dev eth0
END
high flow vni=100 protocol=udp destination_port=5001

mode off
forgeries
for what in "${!got_of[@]}"; do
	off_got[$what]=${got_of[$what]}
done
matches "in mode off true packets arrive" "$true_ones" "got plain-v4"
equal "in mode off some of the forged arrive" "$(printf '%s\n' "${off_got[@]}" | grep -c plain-v4 | sed 's/[1-9].*/yes/')" yes
equal "and some do not" "$(printf '%s\n' "${off_got[@]}" | grep -c nothing | sed 's/[1-9].*/yes/')" yes

for mode in sync batch express; do
	mode $mode
	for isolate in 0 1; do
		isolate $isolate
		forgeries
		for what in "${!off_got[@]}"; do
			equal "mode $mode, isolate $isolate: $what" "${got_of[$what]}" "${off_got[$what]}"
		done
	done
	isolate 0
done
kept_long || {
	mode express
	wire inject valid --only plain --times 4
	counters
	wire inject valid --only plain --times 4
	counted
	at_least "in mode express the true ones have gone the short way" "${delta[expressed]}" 1
}
finish
