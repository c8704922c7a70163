#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Routes that are remembered: a packet to this host has that of the last one with its
# addresses, unless somebody could tell, and not past a change.

. "${0%/*}/../lib.sh"
trap ended_early EXIT

# What may look routes up again, once in a second, or come between.
others=8

# flow [ARG...]: 60 packets after 3 that have shown their route; counters of the 60 in
# delta.
flow() {
	udp4 --count 3 "$@"
	counters
	udp4 --count 60 "$@"
	counted
}

# reused DESCRIPTION TIMES: the flow arrived, and each of its packets had a remembered
# route so many times on its way.
reused() {
	arrived "$1"
	at_least "$1: routes are reused" "${delta[route_reused]}" $((60 * $2 - others))
	at_most "$1: no more than are needed" "${delta[route_reused]}" $((60 * $2 + others))
}

# watched DESCRIPTION: the same, and none in the container.
watched() {
	arrived "$1"
	at_most "$1: no route is reused in the container" "${delta[route_reused]}" $((60 * outer + others))
	at_least "$1: the host's is" "${delta[route_reused]}" $((60 * outer - others))
}

# again DESCRIPTION: what kept the container from it is gone.
again() {
	flow
	reused "$1 gone" $((outer + 1))
}

# change DESCRIPTION COMMANDS UNDO: lines of `ip` commands for the container, by which the
# kernel drops the flow, at once.
change() {
	flow
	in_ns c1 <<<"$2"
	stopped "$1"
	in_ns c1 <<<"$3"
	again "$1"
}

stopped() {
	udp4 --count 20 --patience 100
	equal "$1: nothing arrives" "${got[received]-} of ${got[sent]-}" "0 of 20"
}

in_container() { ip netns exec c1 "$@"; }
# set_in_container FILE VALUE: under /proc/sys/net/ipv4.
# shellcheck disable=SC2016
set_in_container() { in_container bash -c 'echo "$2" >/proc/sys/net/ipv4/"$1"' - "$@"; }

underlay
overlay_bridge
high flow4 vni=100 protocol=udp destination_port=5001

# br_netfilter has a hook in the namespace of each bridge, where packets are routed.
outer=1
[ ! -e /proc/sys/net/bridge ] || outer=0

mode off
flow
equal "in mode off no route is reused" "${delta[route_reused]}" 0
for mode in sync batch; do
	mode $mode
	flow
	reused "mode $mode" $((outer + 1))
done
if ! kept_long; then
	mode express
	flow
	reused "mode express" 1
fi
mode off
isolate 1
flow --port 5002
reused "what waits" $outer
isolate 0
mode sync

same "UDP" udp4 --count 50 --sizes 0-49
udp6 --count 3
counters
udp6 --count 60
counted
arrived "IPv6"
at_most "IPv6 is looked up" "${delta[route_reused]}" $((60 * outer))

# Who sees packets in the container before they are routed, or asks for their sockets.
# chain FAMILY HOOK [DEVICE]
chain() {
	in_container nft -f - <<-END
		table $1 prism_routes {
			chain seen {
				type filter hook $2 ${3:+device \"$3\"} priority 0;
				meta l4proto udp counter
			}
		}
	END
}
while read -r family hook device; do
	chain "$family" "$hook" "$device"
	flow
	watched "a chain at $family $hook $device"
	in_container nft flush ruleset
	again "the chain at $family $hook $device"
done <<-END
	ip prerouting
	ip input
	netdev ingress eth0
END
in_container tc qdisc add dev eth0 clsact
in_container tc filter add dev eth0 ingress matchall action pass
flow
watched "a filter at ingress"
in_container tc qdisc del dev eth0 clsact
again "the filter at ingress"
flow --tap c1:eth0
watched "a packet socket"
again "the packet socket"
in_ns c1 <<<"link add link eth0 name above0 type macvlan mode bridge"
flow
watched "a macvlan"
in_ns c1 <<<"link del above0"
again "the macvlan"
# The kernel makes one for each packet then, which would hold the namespace when that goes.
if [ -e /proc/net/rt_acct ]; then
	in_ns c1 <<<"route add $remote_ip/32 dev eth0 realm 5"
	flow
	watched "a class of the source's route"
	in_ns c1 <<<"route del $remote_ip/32 dev eth0"
	again "the class"
fi
in_ns c1 <<<"rule add pref 10 ipproto 17 dport 1 lookup main"
flow
watched "policy routing"
in_ns c1 <<<"rule del pref 10"
# From the first rule on the kernel takes them for custom ones.
in_ns '' <<<"netns del c1"
clean
underlay
overlay_bridge
high flow4 vni=100 protocol=udp destination_port=5001
mode sync
again "the namespace"

# What changes routes. The receiver binds its address all the same.
set_in_container ip_nonlocal_bind 1
in_ns c1 <<<"link add other0 type dummy
link set other0 up"
change "the address no longer local" "route del local $c1_ip dev eth0 table local" \
	"route add local $c1_ip dev eth0 table local src $c1_ip"
change "the address of the sender taken" "address add $remote_ip/32 dev other0" \
	"address del $remote_ip/32 dev other0"
in_ns c1 <<<"route add $remote_ip/32 dev other0"
flow
reused "a sender behind another device" $((outer + 1))
set_in_container conf/eth0/rp_filter 1
stopped "that device must not be another"
set_in_container conf/eth0/rp_filter 0
again "the check of senders"
set_in_container conf/all/rp_filter 1
stopped "that of no device may be another"
set_in_container conf/all/rp_filter 0
again "the check of senders of all devices"
in_ns c1 <<<"route del $remote_ip/32 dev other0"
mode off
in_ns '' <<<"route del local $host_ip dev $host_dev table local"
mode sync
stopped "the host's address no longer local"
in_ns '' <<<"route add local $host_ip dev $host_dev table local src $host_ip"
again "the host's address no longer local"

# TCP, whose sockets keep routes of their own.
rmdir "$RULES"/flow4
exercise_tcp 3

# What is remembered does not keep a namespace.
high flow4 vni=100 protocol=udp destination_port=5001
mode sync
flow
clean
pause 11
equal "no device is waited for" "$(dmesg | grep -c 'waiting for .* to become free')" 0
finish
