#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# softirq.sh: for how long a CPU is in the handler of received packets at a stretch, under bulk
# traffic beyond saturation: without the module, in each mode, isolated with turns of one, two
# and 64 packets, and while settings change over and over. And for how long a task that changes
# them keeps BH off. Virtual time: an instruction is a nanosecond. The handler is bounded by the
# kernel (net.core.netdev_budget_usecs) up to the poll that comes last.

. "$(dirname "$0")/../lib.sh"
trap ended_early EXIT

peer=10.100.0.99 peer_mac=02:00:00:00:00:99

# stretches_of FROM TO: of all that last from a line of the trace with the one to the next of that CPU
# with the other, the longest, the one in the middle, in us, and how many there were: `longest`, `median`,
# `stretches`.
stretches_of() {
	read -r longest median stretches < <(awk -v from="$1" -v to="$2" '
		match($0, /\[[0-9]+\]/) { cpu = substr($0, RSTART, RLENGTH) }
		match($0, / [0-9]+\.[0-9]+: /) { now = substr($0, RSTART + 1, RLENGTH - 3) * 1e6 }
		$0 ~ from { start[cpu] = now }
		$0 ~ to && cpu in start { print int(now - start[cpu]); delete start[cpu] }
	' "$trace_dir"/trace | sort -n | awk '
		{ all[NR] = $1 }
		END { print all[NR] + 0, all[int((NR + 1) / 2)] + 0, NR }')
}

# over_and_over COMMAND...: until it is stopped.
over_and_over() {
	while :; do
		"$@"
		pause 0.002
	done
}

# row LABEL [COMMAND...]: measures, COMMAND over and over meanwhile, and adds to the table. The longest
# is in `worst` if it is so far.
table=()
row() {
	local line changing=

	# One that came late in the run before has its queues served first.
	pause 0.2
	if [ $# -gt 1 ]; then
		over_and_over "${@:2}" &
		changing=$!
	fi
	trace_on irq:softirq_entry irq:softirq_exit
	sim_traffic 150
	trace_off
	if [ -n "$changing" ]; then
		kill $changing
		wait $changing 2>/dev/null
	fi
	stretches_of 'softirq_entry:.*NET_RX' 'softirq_exit:.*NET_RX'
	add_line "$1"
	[ "$longest" -le "${worst:-0}" ] || worst=$longest
	at_least "$1: measured" "$stretches" 10
}

add_line() {
	local line

	printf -v line '%-44s %10s %10s %10s' "$1" "$longest" "$median" "$stretches"
	table+=("$line")
}

# set_all MODE ISOLATE ACCELERATE QUANTUM
set_all() {
	mode "$1"
	isolate "$2"
	echo "$3" >"$PRISM"/accelerate
	echo "$4" >"$PRISM"/quantum
}

# isolation_ends, and begins: all that waited is served, and then what the gate has held.
isolation_ends() {
	echo 0 >"$PRISM"/isolate
	pause 0.005
	echo 1 >"$PRISM"/isolate
}

# devices_change: what waits of the NIC is dropped, by the task.
devices_change() {
	echo lo >"$PRISM"/devices
	echo auto >"$PRISM"/devices
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

check "without the module" rmmod prism
row "without the module"
vanilla=$worst
insmod "$SELFTESTS"/../prism.ko
rule high vni=100 protocol=udp destination_port=5001 class=high
worst=0
for mode in sync batch express; do
	set_all $mode 0 high 2
	row "mode $mode"
done
for mode in off sync batch express; do
	for quantum in 1 2 64; do
		set_all $mode 1 high $quantum
		row "mode $mode, isolated, quantum $quantum"
	done
done
for mode in express sync batch; do
	for quantum in 1 2 64; do
		set_all $mode 1 bulk $quantum
		row "mode $mode, isolated, bulk, quantum $quantum"
	done
	# Of the other two each packet runs long, and a poll is of one.
	[ $mode != express ] || steady=$worst
done
for mode in off sync batch express; do
	set_all $mode 1 high 2
	row "mode $mode, isolation ends and begins" isolation_ends
done
set_all express 1 high 2
row "mode express, devices change" devices_change
changing=$worst

# In tasks the module keeps BH off by a function of its own.
echo knet_local_bh_disable >"$trace_dir"/set_ftrace_filter
echo knet_local_bh_enable >>"$trace_dir"/set_ftrace_filter
echo function >"$trace_dir"/current_tracer
row "the same, traced" devices_change
stretches_of knet_local_bh_disable knet_local_bh_enable
add_line "BH off in a task, devices change"
at_least "BH was off in a task" "$stretches" 10
at_most "BH is off in a task for no longer than a softirq lasts without the module" "$longest" "$vanilla"
echo nop >"$trace_dir"/current_tracer

note "at a stretch, in us, under 210,000 packets/s"
printf -v heading '%-44s %10s %10s %10s' "" longest median stretches
note "$heading"
for line in "${table[@]}"; do
	note "$line"
done
at_most "no stretch is twice as long as the longest without the module" "$steady" $((vanilla * 2))
# The kernel ends the handler behind so many polls, or after so long.
at_most "nor longer than the kernel lets it be, whatever is accelerated or changes" "$changing" \
	"$(sysctl -n net.core.netdev_budget_usecs)"
set_all off 0 high 2
remove_rules
sim_down
clean
finish
