#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What a container sees of a packet besides its bytes, field by field, is what it
# sees of it in mode off: nothing of the host, and nothing of PRISM. Where the kernel
# has BTF, in struct sk_buff before and behind the container's routing; on all kernels
# as a tc program in the container sees it.

. "${0%/*}/../lib.sh"
trap ended_early EXIT

probes=/sys/fs/bpf/scrub
packets=5
btf='' apart='' own_cb='' seen='' routed='' host='' first=''
[ ! -e /sys/kernel/btf/vmlinux ] || btf=1

# noted OBJECT: all that was noted there.
noted() { bpftool -j map dump name "$1.bss"; }

# records ARRAY: of what was noted, the fields that are not zero, each kind of packet once, with
# how often it was seen. A hash is another one for each socket that sends, but for that of
# bpf/marks.bpf.c. With `own_cb`, what is in the control block is GRO's in mode off, too.
records() {
	jq -r --arg array "$1" --arg count "$1_count" '
		[.[0].formatted.value[".bss"][]] | add | .[$count] as $n | .[$array][:$n][]
		| to_entries | map(select(.value != 0) | "\(.key)=\(.value)") | join(" ")' |
		sed "s/\bhash=43981\b/the host's hash/; s/\bhash=[0-9]*/hash/${own_cb:+; s/ cb=[0-9]*//}" | sort | uniq -c
}

# flows COUNT: what is looked at.
flows() {
	local family port

	for family in udp4 udp6; do
		for port in 5001 5002; do
			$family --count "$1" --window 1 --port $port --source-port 41000
		done
	done
	counted
}

# load_probes: they stay for the whole test, as a kernel may take long to begin and to end with them.
load_probes() {
	[ -z "$btf" ] || bpftool prog loadall "$SELFTESTS"/bin/seen.o $probes autoattach
	bpftool prog loadall "$SELFTESTS"/bin/first.o ${probes}_first
}

unload_probes() { rm -r $probes*; }

# forget OBJECT: what was noted there.
forget() {
	local nothing

	mapfile -t nothing < <(bpftool -j map show name "$1.bss" | jq ".. | .bytes_value? // empty | range(.) | 0")
	bpftool map update name "$1.bss" key 0 0 0 0 value "${nothing[@]}" || fail "what was seen is forgotten"
}

# look: in seen and routed what is known of packets in the container, in host of its VXLAN
# device's on the host, in first what the tc program sees. A program in the container has
# the module leave routes alone, so where `apart` is set there is none at first.
look() {
	flows 2
	counters
	[ -z "$btf" ] || forget seen
	if [ -n "$apart" ]; then
		flows $packets
		read_probes
	fi
	forget first
	ip netns exec c1 tc qdisc add dev eth0 clsact
	nsenter --net=/run/netns/c1 tc filter add dev eth0 ingress bpf direct-action \
		object-pinned ${probes}_first/prism_first || fail "the tc program is attached"
	flows $packets
	[ -n "$apart" ] || read_probes
	first=$(noted first | records first)
	ip netns exec c1 tc qdisc del dev eth0 clsact
}

read_probes() {
	local all

	[ -n "$btf" ] || return 0
	all=$(noted seen)
	seen=$(records seen <<<"$all") routed=$(records routed <<<"$all") host=$(records host <<<"$all")
}

# known: what there is in mode off, to compare with.
known() {
	mode off
	isolate 0
	look
	off_seen=$seen off_routed=$routed off_first=$first
	matches "$1, mode off: the tc program saw packets" "$first" "port=5001"
	[ -z "$btf" ] || matches "$1, mode off: routed packets were seen" "$routed" "port=5001"
}

# same_as_off DESCRIPTION
same_as_off() {
	look
	[ -z "$btf" ] || equal "$1: at the first hook as in mode off" "$seen" "$off_seen"
	[ -z "$btf" ] || equal "$1: behind routing as in mode off" "$routed" "$off_routed"
	equal "$1: as a tc program sees it as in mode off" "$first" "$off_first"
}

# As IPv4 routes packets by what is remembered only where nobody looks.
[ -z "$btf" ] || apart=1
load_probes
underlay
overlay_bridge
high flow vni=100 protocol=udp destination_port=5001

# Of the control block a bridge clears what is its own, which is less without switchdev.
has_switchdev || own_cb=1
known "bridge"
for mode in sync batch express; do
	mode $mode
	same_as_off "bridge, mode $mode"
	at_least "bridge, mode $mode: packets ran to completion" "${delta[completed]}" $((packets * 2))
	[ $mode != express ] || kept_long ||
		at_least "bridge, mode express: packets went the short way" "${delta[expressed]}" 1
	[ -z "$btf" ] || matches "bridge, mode $mode: the host sees the tag" "$host" "priority=6"
done
apart=
for mode in off sync batch express; do
	mode $mode
	isolate 1
	knob accelerate bulk
	same_as_off "bridge, mode $mode, isolate, accelerate=bulk"
	[ $mode = off ] ||
		at_least "bridge, mode $mode, accelerate=bulk: all ran to completion" "${delta[completed]}" $((packets * 4))
	isolate 0
	knob accelerate high
done

# What the host notes in its packets: a mark, connections, traces, time stamps.
modprobe -q nf_conntrack_bridge
check "the host marks its packets" nft -f - <<-END
	table inet prism_host {
		chain prerouting {
			type filter hook prerouting priority -300;
			udp dport 4789 meta mark set 0x1234 meta nftrace set 1
		}
	}
	table bridge prism_bridge {
		chain forward {
			type filter hook forward priority 0;
			ct state new,established accept
		}
	}
END
ip netns exec remote ping -q -i 10 127.0.0.1 >/dev/null &
stamps=$!
known "marked"
for mode in sync batch express; do
	mode $mode
	same_as_off "marked, mode $mode"
	[ -z "$btf" ] || matches "marked, mode $mode: the host sees the mark" "$host" "mark=4660"
done
kill $stamps
nft flush ruleset

# All that the host's tc programs may write, of the outer packet and of the inner one.
bpftool prog loadall "$SELFTESTS"/bin/marks.o ${probes}_marks
for device in nic0 vx100; do
	tc qdisc add dev $device clsact
	tc filter add dev $device ingress bpf direct-action object-pinned ${probes}_marks/prism_marks ||
		fail "the tc program of $device is attached"
	known "tc marks at $device"
	for mode in sync batch express; do
		mode $mode
		marked=$(bpf_count marks marks_count)
		same_as_off "tc marks at $device, mode $mode"
		at_least "tc marks at $device, mode $mode: packets were marked" $(($(bpf_count marks marks_count) - marked)) $((packets * 4))
	done
	tc qdisc del dev $device clsact
done
clean

# A VXLAN device that is the container's own: nothing scrubs a priority there.
in_container() {
	overlay_addresses
	vtep_remote
	vtep_host
	in_ns '' <<-END
		netns add c1
		link set vx100 netns c1 name eth0
	END
	in_ns c1 <<-END
		link set eth0 mtu 1430 up
		link set lo up
	END
	flat_addresses 100 c1
}
underlay
in_container
high flow vni=100 protocol=udp destination_port=5001
own_cb=1
known "the container's own VXLAN device"
for both in "off 1" "sync 0" "batch 0" "express 0" "express 1"; do
	read -r mode isolate <<<"$both"
	mode "$mode"
	isolate "$isolate"
	same_as_off "the container's own VXLAN device, mode $mode, isolate $isolate"
	at_least "the container's own VXLAN device, mode $mode: packets were classified" "${delta[classified]}" $packets
done
isolate 0
clean

# A device on the NIC, whose packets never leave it.
modprobe -q ipvlan
underlay
c1_ip=192.168.10.11 c1_ip6=fd00:10::11 remote_ip=$peer_ip remote_ip6=$peer_ip6
container_on nic0 ipvlan mode l2
in_ns c1 <<-END
	address add $c1_ip/24 dev eth0
	address add $c1_ip6/64 dev eth0 nodad
END
high flow vni=none protocol=udp destination_port=5001
known "ipvlan"
for mode in sync batch express; do
	mode $mode
	same_as_off "ipvlan, mode $mode"
	at_least "ipvlan, mode $mode: packets were classified" "${delta[classified]}" $packets
done
unload_probes
finish
