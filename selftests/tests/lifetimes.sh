#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Rules, and devices on the way of packets, that come and go very often under traffic.

. "${0%/*}/../lib.sh"
. "${0%/*}/../lib/memory.sh"
trap ended_early EXIT

c9_ip=10.109.0.9

# flip COUNT: a rule for the flow to c1 comes and goes.
flip() {
	wire rules flip --count "$1" --name flip vni=100 protocol=udp destination_port=5001 class=high enabled=1
}

# way COUNT NUMBER: a way to c9 comes and goes: VXLAN device, with its port's socket,
# bridge, and veth. Each is first to go, by turns. Says what `ip` has to do.
way() {
	local n vxlan=vx109$2 bridge=br109$2 veth=c9h$2 names
	names=("$vxlan" "$bridge" "$veth")

	for ((n = 0; n < $1; n++)); do
		cat <<-END
			link add $veth type veth peer name eth$2 address 02:00:00:00:00:19 netns c9
			link add $vxlan type vxlan id $((109 + $2)) dstport $((4790 + $2)) local $host_ip remote $peer_ip dev nic0
			link add $bridge type bridge
			link set $vxlan master $bridge up
			link set $veth master $bridge up
			link set $bridge up
		END
		wait_for 120 [ -e "/sys/class/net/$bridge" ] && in_ns c9 <<<"link set eth$2 up"
		pause 0.02
		printf 'link del %s\n' "${names[@]:n % 3}" "${names[@]:0:n % 3}"
		wait_for 120 are_gone "${names[@]}"
	done
}

# are_gone DEVICE...
are_gone() {
	local name

	for name; do
		[ ! -e "/sys/class/net/$name" ] || return
	done
}

# ways COUNT: so many, four at the same time, as what goes mostly waits for RCU. Packets go the first one.
ways() {
	local number pids=() pid rc=0

	for number in 0 1 2 3; do
		way $((($1 + 3 - number) / 4)) $number | in_ns '' &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid" || rc=1
	done
	return $rc
}

# The address of c9 is not that of its device, which is too seldom there.
far_end() {
	vtep_remote 109 4790
	in_ns remote <<-END
		address add 10.109.0.2/24 dev vx109
		neighbor add $c9_ip lladdr 02:00:00:00:00:19 dev vx109
	END
	in_ns '' <<<"netns add c9"
	in_ns c9 <<-END
		address add $c9_ip/32 dev lo
		link set lo up
	END
}

rate=2000
[ -z "$DEBUG_KERNEL" ] || rate=300
# flows: to c1, which goes on, and to c9.
flows() {
	background steady udp --from remote --to c1 --source "$remote_ip" --destination "$c1_ip" --count 0 --rate $rate
	"$WIRE" udp --from remote --to c9 --source 10.109.0.2 --destination $c9_ip --port 5009 --count 0 --window 16 \
		--patience 5 --first 9999 >/run/selftests.c9 2>&1 &
	c9_pid=$!
}

flows_end() {
	kill -TERM "$c9_pid"
	wait "$c9_pid"
	ended steady
}

underlay
overlay_bridge
together far_end
high c9 vni=109
mode express
udp4 --count 3
scale 1000 100 10000
rules=$REPLY
scale 100 12 1000
devices=$REPLY
# What is made once only is made by then; and memory is looked at without traffic.
flows
flip $((rules / 10))
ways $((4 + devices / 20))
flows_end
memory_before
counters

flows
flip "$rules"
equal "a rule came and went $rules times" "${got[done]-}" "$rules" "$report"
note "$report"
flows_end
lost=${got[lost]-} received=${got[received]-0}
memory_flat "a rule came and went $rules times" "$rules"

memory_before
flows
start=$SECONDS
ways "$devices"
equal "devices came and went $devices times" $? 0
note "$devices times in $((SECONDS - start)) s"
flows_end
# Without the module, too, the kernel has one and a half more entries of VXLAN's forwarding
# tables each time (vxlan_fdb_create() in kmalloc-128's alloc_traces), so two are allowed.
memory_flat "devices came and went $devices times" "$devices" kmalloc-128 2

counted
equal "the neighbour lost nothing, both times" "$lost ${got[lost]-} ${got[duplicate]-} ${got[corrupt]-}" "0 0 0 0" "$report"
at_least "the neighbour received much" $((received + ${got[received]-0})) 1000
understand "$(</run/selftests.c9)"
at_least "packets went the way of the devices" "${got[received]-0}" "$devices" "$(</run/selftests.c9)"
equal "none was doubled or changed" "${got[duplicate]-} ${got[corrupt]-}" "0 0"
moved
note "$REPLY"
kept_long || at_least "packets are expressed" "${delta[expressed]}" 1
for name in completed unmatched; do
	at_least "packets are $name" "${delta[$name]}" 1
done
check "all that waited were served" wait_for 5 reconciles
finish
