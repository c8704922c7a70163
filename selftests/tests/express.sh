#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Mode express: a flow that the kernel has forwarded goes the short way, as long
# as nobody has to see it in between and nothing changes.

. "${0%/*}/../lib.sh"
trap ended_early EXIT

in_container() { ip netns exec c1 "$@"; }

# flow [ARG...]: 60 packets after 3 that show the way; counters of the 60 in delta.
flow() {
	udp4 --count 3 "$@"
	counters
	udp4 --count 60 "$@"
	counted
}

# Packets of the flow that show the way again: one a second.
learners=6

# short DESCRIPTION: the flow went the short way.
short() {
	arrived "$1"
	if [ "${delta[expressed]}" -ge $((60 - learners)) ]; then
		pass "$1: the short way"
	else
		moved
		fail "$1: the short way" "$REPLY"
	fi
}

# long DESCRIPTION COUNTER [MORE]: the flow went the kernel's way for that reason,
# or MORE packets of it for another.
long() {
	arrived "$1"
	moved
	equal "$1: no packet goes the short way" "${delta[expressed]}" 0 "$REPLY"
	at_least "$1: it is counted as $2" $((delta[$2] + ${3:-0})) $((60 - learners)) "$REPLY"
}

# again DESCRIPTION: what kept the flow from the short way is gone.
again() {
	flow
	short "$1 gone"
}

if kept_long; then
	counter=$REPLY
	underlay
	overlay_bridge
	high flow4 vni=100 protocol=udp destination_port=5001
	mode express
	flow
	long "a flow on this kernel" "$counter"
	equal "it runs to completion" "${delta[completed]}" 60
	[ "$counter" = express_hook ] ||
		matches "the log says so" "$(dmesg | tail -n 40)" "mode: express does what sync does.*CONFIG_NET_SWITCHDEV"
	skip "the short way" "$counter on this kernel"
	finish
fi

devices="nic0 vx100 br100 c1h"
# traffic_of: the counters of all devices, and of the container's.
traffic_of() {
	local dev file value

	for dev in $devices; do
		for file in /sys/class/net/"$dev"/statistics/{rx,tx}_{packets,bytes,dropped,errors}; do
			read -r value <"$file"
			echo "$dev ${file##*/} $value"
		done
	done
	in_container grep '' /sys/class/net/eth0/statistics/rx_{packets,bytes,dropped,errors} |
		sed 's|.*/|eth0 |; s/:/ /'
}

# moved_devices FUNCTION ARG...: by how much the devices' counters move.
moved_devices() {
	local start

	start=$(traffic_of)
	"$@"
	paste -d' ' <(echo "$start") <(traffic_of) | awk '{ print $1, $2, $6 - $3 }'
}

underlay
overlay_bridge
high flow4 vni=100 protocol=udp destination_port=5001

mode off
udp4 --count 40 --sizes 0-39
arrived "mode off"
off="${got[digest]-} ${got[meta]-}"
mode express
udp4 --count 40 --sizes 0-39
equal "the same arrives as with mode off" "${got[digest]-none} ${got[meta]-none}" "$off"
flow
short "a flow"
flow --sizes 1380
short "large packets"
udp6 --count 3
counters
udp6 --count 60
counted
short "IPv6"
rmdir "$RULES"/flow4

high tcp vni=100 protocol=tcp
counters
background tcp tcp --from remote --to c1 --destination "$c1_ip" --endless
delivers 3
pause 1
ended tcp
counted
equal "TCP in both directions is intact" "${got[lost]-}" 0 "$report"
at_least "TCP goes the short way" "${delta[expressed]}" 50
rmdir "$RULES"/tcp
high flow4 vni=100 protocol=udp destination_port=5001

# Counters of the devices. Neither end asks the other for its address meanwhile, or all
# for a router, but other packets may come between.
for name in '' remote c1 c2; do
	# shellcheck disable=SC2016
	${name:+ip netns exec $name} bash -c '
		for file in /proc/sys/net/ipv6/conf/*/router_solicitations; do
			echo 0 >"$file"
		done'
done
ip neigh replace "$peer_ip" dev nic0 nud permanent \
	lladdr "$(ip netns exec remote cat /sys/class/net/nic1/address)"
ip -n remote neigh replace "$host_ip" dev nic1 nud permanent lladdr "$(</sys/class/net/nic0/address)"
for _ in 1 2 3 4; do
	mode off
	flow
	off=$(moved_devices flow)
	mode express
	flow
	on=$(moved_devices flow)
	[ "$on" != "$off" ] || break
done
equal "devices count the same as with mode off" "$on" "$off"
flow
short "what was counted"

# Rules and the mode.
echo sync >"$PRISM"/mode
flow
equal "mode sync ends it" "${delta[expressed]} ${delta[delivered]}" "0 60"
mode express
again "mode sync"
rmdir "$RULES"/flow4
flow
equal "without its rule no packet is expressed" "${delta[expressed]} ${delta[completed]}" "0 0"
high flow4 vni=100 protocol=udp destination_port=5001
again "the change of rules"

# Netfilter.
# chain FAMILY HOOK [DEVICE]
chain() {
	nft -f - <<-END
		table $1 prism_express {
			counter seen { }
			chain seen {
				type filter hook $2 ${3:+device \"$3\"} priority 0;
				meta l4proto udp counter name seen
			}
		}
	END
}
seen() { nft list counters | awk '$1 == "packets" { print $2 }'; }

while read -r family hook device; do
	chain "$family" "$hook" "$device"
	flow
	long "a chain at $family $hook $device" express_hook
	at_least "the chain at $family $hook $device sees each packet" "$(seen)" 60
	nft flush ruleset
	again "the chain at $family $hook $device"
done <<-END
	ip prerouting
	ip input
	bridge prerouting
	bridge forward
	bridge postrouting
	netdev ingress nic0
	netdev ingress vx100
	netdev egress c1h
END

# A way that a chain has shown, and not the bridge, ends with the chain.
# to_c2: packets that are on their way to the other container.
to_c2() { cat /sys/class/net/c2h/statistics/tx_packets; }
ip netns exec c2 ping -q -c 1 -W 2 "$remote_ip" >/dev/null
background astray udp --from remote --to c1 --source "$remote_ip" --destination "$c1_ip" --count 0 --window 4 --patience 10
before_chain=$(to_c2)
nft -f - <<-END
	table bridge prism_express {
		chain astray {
			type filter hook prerouting priority 0;
			udp dport 5001 ether daddr set $(ip netns exec c2 cat /sys/class/net/eth0/address)
		}
	}
END
# The way of before is good for a second. The first that shows another may be the driver's.
shown_anew() { [ $(($(<"$PRISM"/stats/express_learn) - before[express_learn])) -ge 2 ]; }
counters
wait_for 10 shown_anew
nft flush ruleset
with_chain=$(to_c2)
pause 0.5
at_least "a chain sends packets to another container" $((with_chain - before_chain)) 2
at_most "none goes there when it is gone" $(($(to_c2) - with_chain)) 3
ended astray

# What the outer header says of congestion gets to the container.
ip netns exec remote nft -f - <<-END
	table ip prism_express {
		chain marks {
			type filter hook output priority 0;
			udp dport 4789 ip ecn set ect1
		}
	}
END
same_in express "ECT(1) in the outer header, ECT(0) in the inner one" udp4 --count 40 --tos 2
ip netns exec remote nft flush ruleset

# Chains that see nothing of it do not matter.
chain ip6 prerouting
flow
short "a chain of the other family"
nft flush ruleset

# Packet sockets.
for place in :nic0 :vx100 :c1h; do
	udp4 --count 3
	counters
	udp4 --count 60 --tap $place
	counted
	# What a socket still holds is a clone, and teaches nothing.
	long "a packet socket on $place" express_tap "${delta[express_learn]}"
	# In front of that, what has a clone does not show the way.
	[ $place != :c1h ] || at_least "it is the socket that keeps them on $place" "${delta[express_tap]}" 1
	matches "the packet socket on $place sees each packet" "$report" "tap=$place [a-z0-9= ]*unique=60"
	again "the packet socket on $place"
done
ip link set br100 promisc on
flow
long "a promiscuous bridge" express_learn
ip link set br100 promisc off
again "the promiscuous bridge"

# tc, XDP, qdiscs.
while read -r device side; do
	tc qdisc add dev "$device" clsact
	tc filter add dev "$device" "$side" matchall action pass
	flow
	long "a filter at $side of $device" express_tc
	tc qdisc del dev "$device" clsact
	again "the filter at $side of $device"
done <<-END
	nic0 ingress
	vx100 ingress
	c1h egress
END
if tc qdisc add dev c1h root fq_codel 2>/dev/null || tc qdisc add dev c1h root prio 2>/dev/null; then
	flow
	long "a qdisc on the veth" express_tc
	tc qdisc del dev c1h root
	again "the qdisc on the veth"
fi
for kind in xdpdrv xdpgeneric; do
	in_container ip link set eth0 $kind obj "$SELFTESTS/bin/xdp.o" program prism_pass
	flow
	long "$kind in the container" express_tc
	in_container ip link set eth0 $kind off
	again "$kind in the container"
done
ip link set vx100 xdpgeneric obj "$SELFTESTS/bin/xdp.o" program prism_pass
flow
long "generic XDP on the VXLAN device" express_tc
ip link set vx100 xdpgeneric off
again "generic XDP on the VXLAN device"

# A pair that takes no fragments: the kernel copies packets together before it, and they wait behind it,
# and so do those that are in one piece.
for mode in sync express; do
	mode $mode
	ethtool -K c1h sg off >/dev/null
	flow --sizes 64,1380
	long "a pair without scatter-gather, mode $mode" kernel_other
	equal "none passes the others by" "${delta[delivered]}" 0
	ethtool -K c1h sg on tso on >/dev/null
done
flow --sizes 64,1380
short "a pair with scatter-gather again"

# IPsec.
if ip xfrm policy add src 203.0.113.1 dst 203.0.113.2 dir in tmpl proto esp 2>/dev/null; then
	flow
	long "an xfrm policy" express_hook
	ip xfrm policy flush
	again "the xfrm policy"
else
	skip "xfrm" "not in this kernel"
fi

# The bridge.
echo "link set br100 type bridge vlan_filtering 1" | in_ns ''
flow
long "VLAN filtering" express_learn
echo "link set br100 type bridge vlan_filtering 0" | in_ns ''
again "VLAN filtering"

# stopped DESCRIPTION: the kernel drops the flow.
stopped() {
	udp4 --count 20 --patience 100
	equal "$1: nothing arrives" "${got[received]-} of ${got[sent]-}" "0 of 20"
}

# change DESCRIPTION COMMAND UNDO
change() {
	flow
	eval "$2"
	# What is announced later than the change itself.
	pause 0.1
	stopped "$1"
	eval "$3"
	# Whatever the bridge forgot of the container, it learns anew.
	in_container ping -q -c 2 -i 0.2 -W 1 "$remote_ip" >/dev/null
	again "$1"
}

change "a port that blocks" "bridge link set dev vx100 state 0" "bridge link set dev vx100 state 3"
change "the other port that blocks" "bridge link set dev c1h state 0" "bridge link set dev c1h state 3"
change "isolated ports" "bridge link set dev vx100 isolated on; bridge link set dev c1h isolated on" \
	"bridge link set dev vx100 isolated off; bridge link set dev c1h isolated off"
# It lets through whom it knows already.
change "a locked port" \
	"bridge link set dev vx100 learning off; bridge fdb del $remote_mac dev vx100 master; bridge link set dev vx100 locked on" \
	"bridge link set dev vx100 locked off learning on"
change "the VXLAN device down" "ip link set vx100 down" "ip link set vx100 up"
change "the veth down" "ip link set c1h down" "ip link set c1h up"
change "the bridge without the port" "ip link set c1h nomaster" "ip link set c1h master br100"
change "an address of the underlay gone" "ip address del $host_ip/24 dev nic0" "ip address add $host_ip/24 dev nic0"
change "another address of the VXLAN device" "ip link set vx100 address $remote_mac" "ip link set vx100 address $host_mac"
# Sticky, as whatever the container sends of itself would have the bridge move the entry back.
change "another FDB entry of the bridge" \
	"bridge fdb replace 02:00:00:00:00:11 dev c2h master static sticky" "bridge fdb del 02:00:00:00:00:11 dev c2h master"

# Larger than the container takes.
ip -n c1 link set eth0 mtu 1280
flow
udp4 --count 20 --sizes 1340 --patience 100
equal "what exceeds the MTU is dropped" "${got[received]-} of ${got[sent]-}" "0 of 20"
ip -n c1 link set eth0 mtu 1430
again "the MTU"

# The FDBs stay alive: of both databases, entries of the flow are touched.
flow
background keep udp --from remote --to c1 --source "$remote_ip" --destination "$c1_ip" --rate 100 --count 0
pause 5
used=$(bridge -s fdb show br br100 | sed -n "s/^$remote_mac dev vx100 .*used [0-9]*\/\([0-9]*\).*/\1/p" | head -n 1)
counters
pause 1
counted
ended keep
arrived "a flow for seconds"
at_most "the bridge's entry is refreshed" "${used:-99}" 3
at_least "one packet a second shows the way" "${delta[express_learn]}" 1
at_most "and no more than a few do" "${delta[express_learn]}" 6
finish
