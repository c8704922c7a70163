#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Packets with headers that are not true, to a flow of class high whose way is known:
# what becomes of them is what becomes of them without the module.

. "${0%/*}/../lib.sh"
trap ended_early EXIT

other_vtep=192.168.10.77
c2_mac=02:00:00:00:00:12

# forge DESCRIPTION ARG...: such packets, behind true ones that have shown the way. Of each
# pair three are sent, and as many are waited for as came in mode off.
forge() {
	local what=$1 came=${off_came[$1]-6}
	shift

	wire inject valid --only plain --times 3 --lead 4 --awaited "$came" "$@" ||
		fail "$what: the true ones arrive"
	got_of[$what]=$(grep '^got' <<<"$report" || echo nothing)
}

# ports: where the bridge has learnt that the containers are.
ports() {
	bridge -batch - <<-END
		fdb replace 02:00:00:00:00:11 dev c1h master dynamic
		fdb replace $c2_mac dev c2h master dynamic
	END
}

# forge_sender DESCRIPTION ARG...: the same for packets that teach the bridge another port.
forge_sender() {
	forge "$@"
	ports
}

declare -A got_of off_got off_came
# Each name and what is forged.
forgeries() {
	forge "the source of the tunnel" --outer-source 203.0.113.9
	forge "another VTEP" --outer-source $other_vtep
	forge "the host as the source of the tunnel" --outer-source "$host_ip"
	forge "the destination of the tunnel" --outer-destination 192.168.10.99
	forge "a network that the host does not have" --vni 101
	forge "another network of the host" --vni 200
	forge_sender "the address of a neighbour as the sender's" --source-mac $c2_mac
	forge_sender "the receiver's address as the sender's" --source-mac 02:00:00:00:00:11
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

ports
mode off
forgeries
for what in "${!got_of[@]}"; do
	off_got[$what]=${got_of[$what]}
	off_came[$what]=$(grep -o 'times=[0-9]*$' <<<"${got_of[$what]}" | awk -F= '{ sum += $2 } END { print sum + 0 }')
done
equal "in mode off some of the forged arrive" "$(printf '%s\n' "${off_got[@]}" | grep -c plain-v4 | sed 's/[1-9].*/yes/')" yes
equal "and some do not" "$(printf '%s\n' "${off_got[@]}" | grep -c nothing | sed 's/[1-9].*/yes/')" yes

settings
for each in $REPLY; do
	setting "$each"
	when=$REPLY
	forgeries
	for what in "${!off_got[@]}"; do
		equal "$when: $what" "${got_of[$what]}" "${off_got[$what]}"
	done
done
isolate 0
kept_long || {
	mode express
	wire inject valid --only plain --times 4
	counters
	wire inject valid --only plain --times 4
	counted
	at_least "in mode express the true ones have gone the short way" "${delta[expressed]}" 1
}
finish
