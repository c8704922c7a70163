#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# bench.sh PLAN: runs the cells of a plan, inside a guest with virtual time. A
# plan is what the host's program makes of scenarios, in lines:
#   scenario NAME DURATION_MS WARMUP_MS RULES SATURATION   0 is to find the last
#   flow NAME CLASS RATE TO WORD...    RATE is a number, or `load`: what is left
#                                      of the load by the others
#   peers NAME...
#   loads PERCENT...                   of what the plain kernel takes at most
#   run
# On stdout, for the host's program:
#   saturation PACKETS_PER_SECOND      what loads are per cent of from here on
#   cell SCENARIO PERCENT PEER, then what simnic tells of the flows, then
#   drop PLACE PACKETS, and `end`
#   cannot SCENARIO PEER WHY
#   error WHY

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=selftests/bench/guest/topology.sh
. "$(dirname "$0")/topology.sh"

programs=/sys/fs/bpf/peers

# Each peer has a function that begins it, which says why where it cannot, and
# one that ends it.
begin_vanilla() { :; }
end_vanilla() { :; }

begin_threaded() { echo 1 >/sys/class/net/sim0/threaded; }
end_threaded() { echo 0 >/sys/class/net/sim0/threaded; }

begin_host() { :; }
end_host() { :; }

load_programs() {
	local name index bytes

	mkdir -p $programs/maps
	bpftool prog loadall "$SELFTESTS/bin/peers.o" $programs pinmaps $programs/maps || return
	for name in c1 c2; do
		read -r index </sys/class/net/${name}h/ifindex
		read -r -a bytes <<<"${mac[$name]//:/ } 00 00"
		bpftool map update pinned $programs/maps/containers key hex "${bytes[@]}" \
			value $((index & 255)) $((index >> 8)) 0 0 || return
	done
}

attach() {
	load_programs && tc qdisc add dev "$1" clsact &&
		tc filter add dev "$1" ingress bpf direct-action object-pinned "$programs/$2"
}

detach() {
	tc qdisc del dev "$1" clsact
	rm -r $programs
}

begin_ebpf-peer() { attach vx100 on_vxlan; }
end_ebpf-peer() { detach vx100; }
begin_ebpf-nic() { attach sim0 on_nic; }
end_ebpf-nic() { detach sim0; }

begin_sync() { begin_prism sync; }
end_sync() { end_prism; }

begin_prism() {
	local n name class _ to

	insmod "$SELFTESTS/prism.ko" || return
	for ((n = 0; n < extra_rules; n++)); do
		high "other$n" vni=4095 protocol=udp destination_port=$((n + 1)) \
			"destination=10.$((n >> 14)).$((n >> 7 & 127)).$((n & 127))/32" || return
	done
	for line in "${flows[@]}"; do
		read -r name class _ to _ <<<"$line"
		[ "$class" = normal ] || rule "$name" vni=100 protocol=udp "destination=${ip[$to]}/32" \
			destination_port=5001 "class=$class" || return
	done
	echo "$1" >"$PRISM"/mode
}

end_prism() {
	remove_rules
	rmmod prism
}

# drops: where the kernel dropped packets so far, in gro_cells and backlog.
drops() {
	local rest

	read -r drops_gro_cells </sys/class/net/vx100/statistics/rx_dropped
	read -r _ rest _ </proc/net/softnet_stat
	drops_backlog=$((16#$rest))
}

# traffic PEER LOAD DURATION WARMUP: the flows of the scenario.
traffic() {
	local line name class rate to rest left=$((saturation * $2 / 100))

	for line in "${flows[@]}"; do
		read -r _ _ rate _ <<<"$line"
		[ "$rate" = load ] || left=$((left - rate))
	done
	echo none >$nic/flows
	for line in "${flows[@]}"; do
		read -r name class rate to rest <<<"$line"
		[ "$rate" != load ] || rate=$left
		[ "$rate" -gt 0 ] || continue
		case $1 in
		host)
			rest+=" source=$peer_ip destination=$host_ip"
			[ "$class" != normal ] || rest+=" destination_port=5002"
			;;
		*)
			rest+=" source=$remote_inner destination=${ip[$to]} vni=100 source_mac=$remote_mac"
			rest+=" destination_mac=${mac[$to]} outer_source=$peer_ip outer_destination=$host_ip"
			;;
		esac
		echo "$name rate=$rate $rest" >$nic/flows || die "flow $name is refused: $(dmesg | tail -n 1)"
	done
	echo "$3" >$nic/duration_ms
	echo "$4" >$nic/warmup_ms
	drops
	drops_before=("$drops_gro_cells" "$drops_backlog")
	echo 1 >$nic/running || die "no traffic: $(dmesg | tail -n 1)"
	# It begins within a tenth of a second.
	sleep "$(printf '%d.%03d' $((($3 + 120) / 1000)) $((($3 + 120) % 1000)))"
	while read -r REPLY <$nic/running && [ "$REPLY" = 1 ]; do
		sleep 0.02
	done
	# What is still on its way.
	sleep 0.05
	drops
}

# takes RATE: whether the plain kernel takes that much bulk traffic, with nothing
# lost and no queue that grows.
takes() {
	local flows=("bulk normal $1 c2 arrivals=random seed=7")
	local _ name sent received ring longest

	traffic vanilla 0 100 0
	read -r _ name _ sent _ received _ ring _ _ _ longest <$results
	[ "$sent" = "$received" ] && [ "$longest" -lt 3000000 ]
}

# Finds it in thousands, so that it is the same in each run, and with it the
# moments at which packets arrive.
find_saturation() {
	local low=10 high=1000 middle

	while [ $((high - low)) -gt 1 ]; do
		middle=$(((low + high) / 2))
		if takes ${middle}000; then low=$middle; else high=$middle; fi
	done
	found=${low}000
}

# cell PEER LOAD
cell() {
	traffic "$1" "$2" "$duration" "$warmup"
	echo "cell $scenario $2 $1"
	cat $results
	echo "drop gro_cells $((drops_gro_cells - drops_before[0]))"
	echo "drop backlog $((drops_backlog - drops_before[1]))"
	echo end
}

run_scenario() {
	local peer load why

	[ "$fixed" != 0 ] || [ -n "$found" ] || find_saturation
	saturation=$found
	[ "$fixed" = 0 ] || saturation=$fixed
	echo "saturation $saturation"
	for peer in "${peers[@]}"; do
		if ! why=$("begin_$peer" 2>&1); then
			echo "cannot $scenario $peer ${why//$'\n'/ }"
			"end_$peer" 2>/dev/null
			continue
		fi
		for load in "${loads[@]}"; do
			cell "$peer" "$load"
		done
		"end_$peer" || die "$peer does not end"
	done
}

found='' saturation=0
topology
while read -r word rest; do
	case $word in
	scenario)
		read -r scenario duration warmup extra_rules fixed <<<"$rest"
		flows=()
		;;
	flow) flows+=("$rest") ;;
	peers) read -r -a peers <<<"$rest" ;;
	loads) read -r -a loads <<<"$rest" ;;
	run) run_scenario ;;
	*) die "plan: $word $rest" ;;
	esac
done <"$1"
echo none >$nic/sinks
rmdir $nic
rmmod simnic || die "simnic does not unload"
