#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Random, mutated and mergeable frames, each by all ways: sockets, packet sockets and
# the sender get what they get with mode off. A difference is shown with the command
# that plays its frames again. DIFFERENTIAL_SEED=N tries others, DIFFERENTIAL_ARGS adds
# to the command, such as `--only INDEX`.

. "${0%/*}/../lib.sh"
trap ended_early EXIT

peer_mac=02:00:00:00:0a:02
seed=${DIFFERENTIAL_SEED:-3}

# A tap whose other side is the tool, the host's ways to three containers, and
# nothing that depends on the clock.
topology() {
	ip tuntap add tap0 mode tap vnet_hdr
	host_dev=tap0 remote_dev=none
	in_ns '' <<-END
		link set tap0 address 02:00:00:00:0a:01
		link add link tap0 name tap0.7 type vlan id 7
	END
	address tap0 '' "$host_ip" "$host_ip6"
	address tap0.7 '' 192.168.17.1 fd00:17::1
	in_ns '' <<-END
		neighbor replace $peer_ip lladdr $peer_mac dev tap0
		neighbor replace $peer_ip6 lladdr $peer_mac dev tap0
		neighbor replace 192.168.17.2 lladdr $peer_mac dev tap0.7
		neighbor replace fd00:17::2 lladdr $peer_mac dev tap0.7
	END
	remote_ip=10.244.1.2 remote_ip6=fd00:244:1::2
	together containers
	echo 1 >/proc/sys/net/ipv4/ip_forward
	echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
	for name in '' c1 c2 c3; do
		${name:+ip netns exec $name} sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0 \
			net.ipv4.ipfrag_time=1 net.ipv6.ip6frag_time=1 net.ipv4.tcp_invalid_ratelimit=0
	done
	# What the device holds back may be merged with what comes next.
	echo 2000000 >/sys/class/net/tap0/gro_flush_timeout
}

containers() {
	vtep_host 100
	vtep_host 200 4789 6
	vtep_host 300 4789 4 nolearning
	container c1 17
	container c2 18
	container c3 19
	bridged 100 c1 11
	bridged 200 c2 12
	in_ns '' <<-END
		link set vx300 address $host_mac
		link set c3h address ee:ee:ee:ee:ee:ee
		address add 10.244.0.0/32 dev vx300
		route add 10.244.1.0/24 dev vx300
		route add fd00:244:1::/64 dev vx300
		neighbor replace $remote_ip lladdr $remote_mac dev vx300
		neighbor replace $remote_ip6 lladdr $remote_mac dev vx300
		route add 10.244.0.11/32 dev c3h
		route add fd00:244::11/128 dev c3h
		neighbor replace 10.244.0.11 lladdr 02:00:00:00:00:13 dev c3h
		neighbor replace fd00:244::11 lladdr 02:00:00:00:00:13 dev c3h
	END
	in_ns c3 <<-END
		address add 10.244.0.11/32 dev eth0
		address add fd00:244::11/128 dev eth0 nodad
		neighbor replace 169.254.1.1 lladdr ee:ee:ee:ee:ee:ee dev eth0
		neighbor replace fe80::1 lladdr ee:ee:ee:ee:ee:ee dev eth0
		route add default via 169.254.1.1 dev eth0 onlink
		route add default via fe80::1 dev eth0 onlink
	END
}

# bridged NET CONTAINER NUMBER
bridged() {
	on_bridge "$1" "$2"
	in_ns "$2" <<-END
		address add 10.$1.0.$3/24 dev eth0
		address add fd00:$1::$3/64 dev eth0 nodad
		neighbor replace 10.$1.0.2 lladdr $remote_mac dev eth0
		neighbor replace fd00:$1::2 lladdr $remote_mac dev eth0
	END
}

rules() {
	rule u1 protocol=udp destination_port=5001 class=high
	rule u2 protocol=udp destination_port=5002 class=interactive
	rule u3 protocol=udp destination_port=5003 class=bulk
	rule u5 protocol=udp destination_port=5005 class=high
	rule t1 protocol=tcp destination_port=6001 class=high gro=auto
	rule t2 protocol=tcp destination_port=6002 class=bulk
	rule t4 protocol=tcp destination_port=6004 class=high gro=bypass
	rule t5 protocol=tcp destination_port=6005 class=high gro=keep
	rule t9 protocol=tcp destination_port=6009 class=high
	rule icmp protocol=icmp class=high
	rule icmp6 protocol=icmpv6 class=high
	rule sctp protocol=sctp destination_port=2905 class=high
	rule gre protocol=47 class=interactive
}

ways=()
for way in sync batch express "off,isolate=1" "sync,isolate=1,accelerate=high" \
	"express,isolate=1,accelerate=bulk" "batch,isolate=1,accelerate=bulk"; do
	ways+=(--with "mode=$way")
done
read -r -a more <<<"${DIFFERENTIAL_ARGS-}"

# compare DESCRIPTION ARG...
compare() {
	local what=$1 text
	shift

	counters
	wire fuzz --seed "$seed" --count "$count" --with mode=off "${ways[@]}" \
		"$@" "${more[@]}"
	counted
	text=$report
	note "${text%%$'\n'*}"
	equal "$what: the same as with mode off" "${got[differences]-none}" 0 "$text"
	equal "$what: nothing is late" "${got[late]-none}" 0
	# What is not the same twice with mode off proves nothing.
	at_most "$what: mode off is the same as itself" "${got[unstable]:-$count}" $((count / 40 + 1)) "$text"
	moved
	note "$REPLY"
	for name in completed decapsulated delivered accelerated served kept; do
		at_least "$what: packets are $name" "${delta[$name]-0}" 1
	done
}

topology
rules
echo tap0 >"$PRISM"/devices
scale 120 30 4000
count=$REPLY
compare "frames in one piece"
compare "frames in pieces" --pieces
# Frames in one piece belong to the tap's socket, so that the short way is not theirs.
at_least "frames in pieces: packets are expressed" "${delta[expressed]-0}" 1
for feature in rx-gro-list rx-udp-gro-forwarding; do
	ethtool -K tap0 $feature on || { skip "$feature" "not on this device"; continue; }
	compare "$feature" --merging
	ethtool -K tap0 $feature off
done
finish
