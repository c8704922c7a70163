#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# softirq.sh: for how long a CPU is in the handler of received packets at a stretch,
# under bulk traffic beyond saturation, without the module and in each mode, with turns of
# one, two and 64 packets. Virtual time: an instruction is a nanosecond. It is bounded by
# the kernel (net.core.netdev_budget_usecs) up to the poll that comes last.

. "$(dirname "$0")/../lib.sh"
trap ended_early EXIT

peer=10.100.0.99 peer_mac=02:00:00:00:00:99

# longest: of all stretches in the trace the longest and the one in the middle, in us, and
# how many there were: `longest`, `median`, `stretches`.
longest() {
	read -r longest median stretches < <(awk '
		match($0, / [0-9]+\.[0-9]+: /) { now = substr($0, RSTART + 1, RLENGTH - 3) * 1e6 }
		/softirq_entry:.*NET_RX/ { start = now; within = 1 }
		/softirq_exit:.*NET_RX/ && within { print int(now - start); within = 0 }
	' "$trace_dir"/trace | sort -n | awk '
		{ all[NR] = $1 }
		END { print all[NR] + 0, all[int((NR + 1) / 2)] + 0, NR }')
}

# row LABEL: measures, and adds to the table.
table=()
row() {
	local line

	# One that came late in the run before has its queues served first.
	pause 0.2
	trace_on irq:softirq_entry irq:softirq_exit
	sim_traffic 150
	trace_off
	longest
	printf -v line '%-44s %10s %10s %10s' "$1" "$longest" "$median" "$stretches"
	table+=("$line")
	at_least "$1: measured" "$stretches" 10
}

setting() {
	mode "$1"
	isolate "$2"
	echo "$3" >"$PRISM"/accelerate
	echo "${4:-2}" >"$PRISM"/quantum
}

underlay
overlay_bridge
sim_load
sim_up
in_ns c1 <<<"neighbor add $peer lladdr $peer_mac dev eth0"
sim_sink c1 "$c1_ip 5001"
sim_sink c1 "$c1_ip 5002"
tunnel="vni=100 source=$peer destination=$c1_ip source_mac=$peer_mac destination_mac=02:00:00:00:00:11 outer_source=$sim_peer_ip outer_destination=$sim_ip"
echo "high rate=10000 arrivals=random seed=1 destination_port=5001 $tunnel" >"$sim"/flows
echo "much rate=200000 arrivals=random seed=2 destination_port=5002 $tunnel" >"$sim"/flows

row "without rules"
most=$longest
rule high vni=100 protocol=udp destination_port=5001 class=high
for mode in sync batch express; do
	setting $mode 0 high
	row "mode $mode"
	[ "$longest" -le "${worst:-0}" ] || worst=$longest
done
for quantum in 1 2 64; do
	setting express 1 high $quantum
	row "mode express, isolated, quantum $quantum"
	[ "$longest" -le "${worst:-0}" ] || worst=$longest
	setting express 1 bulk $quantum
	row "the same, accelerate bulk"
	[ "$longest" -le "${worst:-0}" ] || worst=$longest
done
note "at a stretch, in us, under 210,000 packets/s"
printf -v heading '%-44s %10s %10s %10s' "" longest median stretches
note "$heading"
for line in "${table[@]}"; do
	note "$line"
done
at_most "no stretch is twice as long as the longest without rules" "$worst" $((most * 2))
setting off 0 high
remove_rules
sim_down
clean
finish
