#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Netfilter decides as ever, at each place that a packet passes.

. "${0%/*}/../lib.sh"
trap ended_early EXIT

# Where chains are.
places="prerouting input ingress_nic ingress_vxlan bridge_prerouting bridge_forward
	bridge_postrouting egress_veth ingress_container raw_container input_container"
outer="udp dport 4789 @th,416,16 5001"
inner="udp dport 5001"

# chain NAME FAMILY HOOK PRIORITY MATCH [DEVICE]: adds it to `rules`.
chain() {
	local verdict=
	[ "$1" != "$drop" ] || verdict=drop

	rules+="
		table $2 prism_$1 {
			counter seen { }
			chain $1 {
				type filter hook $3 ${6:+device \"$6\"} priority $4;
				$5 counter name seen $verdict
			}
		}"
}

# install [PLACE]: all chains, of which that of PLACE drops.
install() {
	local rules="flush ruleset"
	drop=${1-}

	chain prerouting inet prerouting -300 "$outer"
	chain input inet input 0 "$outer"
	chain ingress_nic netdev ingress 0 "$outer" nic0
	chain ingress_vxlan netdev ingress 0 "$inner" vx100
	chain bridge_prerouting bridge prerouting -300 "$inner"
	chain bridge_forward bridge forward 0 "$inner"
	chain bridge_postrouting bridge postrouting 0 "$inner"
	chain egress_veth netdev egress 0 "$inner" c1h
	nft -f - <<<"$rules"

	rules="flush ruleset"
	chain ingress_container netdev ingress 0 "$inner" eth0
	chain raw_container inet prerouting -300 "$inner"
	chain input_container inet input 0 "$inner"
	in_container nft -f - <<<"$rules"
}

in_container() { ip netns exec c1 "$@"; }

# seen: what each place has counted, as "NAME PACKETS".
seen() {
	{ nft list counters; in_container nft list counters; } |
		awk '/table/ { name = substr($3, 7) } $1 == "packets" { print name, $2 }'
}

underlay
overlay_bridge
high flow vni=100 protocol=udp destination_port=5001

# Everything passes, and is counted once at each place.
install
wanted=$(for place in $places; do echo "$place 40"; done | sort)
same "UDP through all chains" udp4 --count 20 --sizes 100,1000
ran_to_completion "UDP through all chains" 20
equal "each chain counts each packet once, in both modes" "$(seen | sort)" "$wanted"

# Each place drops, in both modes the same.
for place in $places; do
	install "$place"
	dropped "$place"
	counts=$(seen)
	matches "$place counts what it drops" " ${counts//$'\n'/ } " " $place 40 "
done

# A packet that is rejected: the answer is one the kernel makes, and is sent as
# ever, while the packet it answers is in flight.
install
in_container nft -f - <<-END
	flush ruleset
	table inet prism_reject {
		chain input {
			type filter hook input priority 0;
			$inner reject
		}
	}
END
for mode in off sync; do
	mode $mode
	udp4 --count 20 --window 1 --patience 100
	matches "a packet rejected in the container in mode $mode is answered" \
		"${got[received]-} ${got[errors]-}" "^0 [1-9]"
done

nft flush ruleset
in_container nft flush ruleset
udp4 --count 20
arrived "without a ruleset, the flow"
finish
