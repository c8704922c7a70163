#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Isolation: what is not of class high waits in the queue of its class, and is
# received as ever after that.

. "${0%/*}/../lib.sh"
trap ended_early EXIT

# waited DESCRIPTION CLASS COUNT: so many packets of that class waited, and all
# that ever waited were served.
waited() {
	at_least "$1: packets wait in class $2" "${delta[deferred_$2]}" "$3"
	check "$1: all that waited were served" wait_for 5 reconciles
}

# same_isolated DESCRIPTION CLASS COUNT FUNCTION ARG...: what FUNCTION sends arrives the same
# with isolation as in mode off, in mode off and in mode sync. So much of it waits in that class; nothing
# is said of that where there is none.
same_isolated() {
	local what=$1 class=$2 count=$3 mode
	shift 3

	mode off
	isolate 0
	as_in_off "$what, mode off" "$@"
	for mode in off sync; do
		isolate 1
		mode $mode
		as_before "$what, isolated, mode $mode" "$what: the same with isolation in mode $mode" "$@"
		[ -z "$class" ] || waited "$what, mode $mode" "$class" "$count"
	done
}

underlay
overlay_bridge
high flow vni=100 protocol=udp destination_port=5001
udp4 --count 3
udp6 --count 3
scale 100 40
n=$REPLY

same_isolated "UDP without a rule" normal "$n" udp4 --count "$n" --sizes 0-40,1000,1380 --port 5002
same_isolated "UDP over IPv6 without a rule" normal "$n" udp6 --count "$n" --sizes 0-40,1000,1380 --port 5002
same_isolated "UDP in fragments" normal 100 udp4 --count 8 --window 2 --sizes 1500,20000,65000 --port 5002
same_isolated "class high" '' 0 udp4 --count "$n" --sizes 0-40,1000
equal "class high does not wait" "${delta[classified]} ${delta[completed]}" "$n $n"
mode off
counters
udp4 --count "$n"
counted
equal "class high does not wait in mode off either" "${delta[classified]} ${delta[completed]}" "$n 0"

# The classes of rules.
for class in interactive normal bulk; do
	rule $class vni=100 protocol=udp destination_port=5003 class=$class
	same_isolated "UDP of class $class" $class "$n" udp4 --count "$n" --sizes 10,1000 --port 5003
	rmdir "$RULES"/$class
done

# TCP, which GRO merges.
mode sync
isolate 1
counters
wire tcp --from remote --to c1 --destination "$c1_ip" --port 5004 --up 2000 --down 2000
counted
equal "TCP in both directions" "${got[lost]-} ${got[up]-} ${got[down]-}" "0 2048000 2048000" "$report"
waited TCP normal 500
sees_ping "ICMP echo" -s 1000 "$c1_ip"
sees_ping "ICMP echo in fragments" -s 6000 "$c1_ip"

# Every knob is turned while flows go on: nothing is lost or overtaken.
background steady udp --from remote --to c1 --source "$remote_ip" --destination "$c1_ip" --port 5002 --count 0 --window 24
background tcp tcp --from remote --to c1 --destination "$c1_ip" --port 5004 --endless
rule steady vni=100 protocol=udp destination_port=5002 class=interactive
scale 30 10
for ((i = 0; i < REPLY; i++)); do
	isolate $((i & 1))
	knob quantum $((1 + i % 64))
	knob recent_us $((i % 3 * 5000))
	knob weight_interactive $((1 + i % 7))
	[ $((i % 5)) != 0 ] || mode off
	[ $((i % 5)) != 3 ] || mode sync
	[ $((i % 4)) != 1 ] || echo 0 >"$RULES"/steady/enabled
	[ $((i % 4)) != 3 ] || echo 1 >"$RULES"/steady/enabled
	pause 0.03
done
equal "TCP goes on while knobs are turned" "$(running tcp && echo yes)" yes
ended tcp
equal "TCP is intact" "${got[lost]-}" 0 "$report"
ended steady
equal "no datagram is lost, doubled, changed or overtaken" \
	"${got[lost]-} ${got[duplicate]-} ${got[corrupt]-} ${got[reordered]-}" "0 0 0 0" "$report"
at_least "there were many" "${got[received]-0}" 300

# on_cpu1: how many packets of class normal have had to wait on CPU 1, in REPLY.
on_cpu1() { REPLY=$(awk '$1 == "deferred_normal" { print $3 }' /sys/kernel/debug/prism/counters); }

# A CPU goes while packets wait on it, as it is the one that the NIC interrupts.
cpu=/sys/devices/system/cpu/cpu1/online
if [ -e $cpu ]; then
	isolate 1
	interrupt
	affinity=/proc/irq/$REPLY/smp_affinity
	lost_to=0
	background steady udp --from remote --to c1 --source "$remote_ip" --destination "$c1_ip" --port 5002 --count 0 --window 24
	for ((i = 0; i < 6; i++)); do
		on_cpu1
		waited=$REPLY
		echo 2 >"$affinity"
		pause 0.05
		echo 0 >$cpu
		on_cpu1
		[ "$REPLY" = "$waited" ] || lost_to=$((lost_to + 1))
		pause 0.05
		echo 1 >$cpu
		pause 0.05
	done
	ended steady
	at_least "a CPU goes on which packets wait" $lost_to 3
	equal "nothing is lost when a CPU goes" "${got[lost]-} ${got[duplicate]-} ${got[corrupt]-}" "0 0 0" "$report"
	at_least "much was received meanwhile" "${got[received]-0}" 50
fi

# The module goes while packets wait.
background steady udp --from remote --to c1 --source "$remote_ip" --destination "$c1_ip" --port 5002 --count 0 --window 64
restore_knobs
for ((i = 0; i < 5; i++)); do
	remove_rules
	check "the module goes with isolation on" rmmod prism
	insmod "$SELFTESTS"/../prism.ko
	high flow vni=100 protocol=udp destination_port=5001
	isolate 1
	pause 0.1
done
ended steady
equal "nothing is lost when the module goes" "${got[lost]-} ${got[duplicate]-} ${got[corrupt]-}" "0 0 0" "$report"
finish
