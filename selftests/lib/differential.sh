# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What the tests that compare all ways with mode off have in common.

# differential_topology DEVICE: a device whose other side is the tool, the host's ways
# to three containers, and nothing that depends on the clock.
differential_topology() {
	local peer_mac=02:00:00:00:0a:02 name

	host_dev=$1 remote_dev=none
	in_ns '' <<-END
		link set $1 address 02:00:00:00:0a:01
		link add link $1 name $1.7 type vlan id 7
	END
	address "$1" '' "$host_ip" "$host_ip6"
	address "$1.7" '' 192.168.17.1 fd00:17::1
	in_ns '' <<-END
		neighbor replace $peer_ip lladdr $peer_mac dev $1
		neighbor replace $peer_ip6 lladdr $peer_mac dev $1
		neighbor replace 192.168.17.2 lladdr $peer_mac dev $1.7
		neighbor replace fd00:17::2 lladdr $peer_mac dev $1.7
	END
	remote_ip=10.244.1.2 remote_ip6=fd00:244:1::2
	together differential_containers
	echo 1 >/proc/sys/net/ipv4/ip_forward
	echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
	for name in '' c1 c2 c3; do
		${name:+ip netns exec $name} sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0 \
			net.ipv4.ipfrag_time=1 net.ipv6.ip6frag_time=1 net.ipv4.tcp_invalid_ratelimit=0
	done
	# What the device holds back may be merged with what comes next.
	echo 2000000 >"/sys/class/net/$1/gro_flush_timeout"
}

differential_containers() {
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

differential_rules() {
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

differential_ways=()
# Where no class high is recent, turns are long: what waits is merged.
for way in sync batch express "off,isolate=1,recent_us=0" "sync,isolate=1,accelerate=high" \
	"express,isolate=1,accelerate=bulk" "batch,isolate=1,accelerate=bulk"; do
	differential_ways+=(--with "mode=$way")
done
read -r -a differential_more <<<"${DIFFERENTIAL_ARGS-}"

# compare DESCRIPTION COUNT ARG...: so many bursts
compare() {
	local what=$1 count=$2 text
	shift 2

	counters
	wire fuzz --seed "${DIFFERENTIAL_SEED:-3}" --count "$count" --with mode=off "${differential_ways[@]}" \
		"$@" "${differential_more[@]}"
	counted
	text=$report
	note "${text%%$'\n'*}"
	equal "$what: the same as with mode off" "${got[differences]-none}" 0 "$text"
	equal "$what: nothing is late" "${got[late]-none}" 0
	# What is not the same twice with mode off proves nothing.
	at_most "$what: mode off is the same as itself" "${got[unstable]:-$count}" $((count / 40 + 1)) "$text"
	equal "$what: all connections have what was sent" "${got[wrong_streams]-none}" 0
	at_least "$what: each way takes some" "$(sed -n 's/.* least_used=//p' <<<"$text")" 1
	moved
	note "$REPLY"
}

# all_moved DESCRIPTION COUNTER...: packets were COUNTER, in the last comparison.
all_moved() {
	local what=$1 name
	shift

	for name; do
		at_least "$what: packets are $name" "${delta[$name]-0}" 1
	done
}
