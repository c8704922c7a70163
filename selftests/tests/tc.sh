#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# tc programs see and decide what they saw and decided.

. "${0%/*}/../lib.sh"
trap ended_early EXIT

flow=(protocol ip flower ip_proto udp dst_port 5001)
outer=(protocol ip flower ip_proto udp dst_port 4789)

# at PLACE: where filters are, in `dev`, `side` and `ns`, and what they match.
at() {
	ns='' side=ingress match=("${flow[@]}")
	case $1 in
	nic) dev=nic0 match=("${outer[@]}") ;;
	vxlan) dev=vx100 ;;
	veth) dev=c1h side=egress ;;
	container) dev=eth0 ns=c1 ;;
	esac
}

# put ACTION: the filter, as the only one.
put() {
	tc ${ns:+-n "$ns"} -batch - <<-END
		qdisc add dev $dev clsact
		filter add dev $dev $side ${match[*]} action $1
	END
}

take_away() { tc ${ns:+-n "$ns"} qdisc del dev "$dev" clsact; }

# sent: how many packets the filter has met.
sent() {
	tc ${ns:+-n "$ns"} -s filter show dev "$dev" "$side" |
		awk '$1 == "Sent" { n += $4 } END { print n + 0 }'
}

underlay
overlay_bridge
high flow vni=100 protocol=udp destination_port=5001
# Settles addresses, so that the tunnel carries nothing but the flow.
udp4 --count 5

for place in nic vxlan veth container; do
	at $place
	put pass
	same "a filter on $place that passes" udp4 --count 20
	at_least "the filter on $place sees each packet in both modes" "$(sent)" 40
	if [ $place = veth ]; then
		equal "a program on the veth's egress keeps its place" \
			"${delta[kernel_tc]} ${delta[delivered]}" "20 0"
	else
		ran_to_completion "with a filter on $place" 20
	fi
	take_away

	put drop
	dropped "a filter on $place"
	at_least "the filter on $place saw what it dropped" "$(sent)" 40
	take_away
done

counters
udp4 --count 20
counted
arrived "without a filter, the flow"
ran_to_completion "without a filter" 20
finish
