#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A netkit pair instead of a veth pair, on a bridge.

. "${0%/*}/../lib.sh"
trap ended_early EXIT

pair_kind=netkit
ip link add probe0 type netkit || skip_all "no netkit in this kernel"
ip link del probe0

underlay
overlay_bridge
exercise
exercise_tcp

# Its driver queues packets on the CPU, where others may be queued behind them before they are taken
# back: those of another device that RPS brings from another CPU.
interrupt
read -r receiver </proc/irq/"$REPLY"/effective_affinity_list
if [ "$(nproc)" -gt 1 ]; then
	high flow vni=100 protocol=udp destination_port=5001
	mode sync
	printf '%x\n' $((1 << receiver)) >/sys/class/net/lo/queues/rx-0/rps_cpus
	taskset -c $((receiver == 0 ? 1 : 0)) ping -q -f -s 8 127.0.0.1 >/run/selftests.ping 2>&1 &
	flood=$!
	scale 20000 2000
	counters
	udp4 --count "$REPLY" --window 100
	counted
	kill $flood
	wait $flood 2>/dev/null
	echo 0 >/sys/class/net/lo/queues/rx-0/rps_cpus
	arrived "others are queued on its CPU"
	at_least "others are queued on its CPU: most are delivered" "${delta[delivered]}" $((REPLY * 9 / 10))
else
	skip "others are queued on its CPU" "there is one CPU"
fi
finish
