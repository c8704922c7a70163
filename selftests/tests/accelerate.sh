#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Other classes than high on the way of the mode, once it is their turn: with and
# without isolation.

. "${0%/*}/../lib.sh"
trap ended_early EXIT

# same_accelerated DESCRIPTION COUNT FUNCTION ARG...: what FUNCTION sends arrives the
# same as in mode off, and with isolation so many packets are accelerated.
same_accelerated() {
	local what=$1 count=$2 mode isolated
	shift 2

	mode off
	isolate 0
	as_in_off "$what, mode off" "$@"
	for mode in batch sync express; do
		for isolated in 0 1; do
			isolate $isolated
			mode $mode
			as_before "$what, mode $mode, isolate $isolated" \
				"$what: the same accelerated in mode $mode, isolate $isolated" "$@"
			[ $isolated = 0 ] ||
				at_least "$what, mode $mode: is accelerated" "${delta[accelerated]}" "$count"
		done
	done
}

underlay
overlay_bridge
high flow vni=100 protocol=udp destination_port=5001
rule some vni=100 protocol=udp destination_port=5003 class=interactive
udp4 --count 3
udp6 --count 3
scale 100 40
n=$REPLY

knob accelerate bulk
same_accelerated "UDP without a rule" "$n" udp4 --count "$n" --sizes 0-40,1000,1380 --port 5002
same_accelerated "UDP over IPv6 without a rule" "$n" udp6 --count "$n" --sizes 0-40,1000,1380 --port 5002
same_accelerated "UDP in fragments" 0 udp4 --count 8 --window 2 --sizes 1500,20000,65000 --port 5002

# TCP is merged before, and waits in no queue behind that.
for mode in sync express; do
	for isolated in 0 1; do
		mode $mode
		isolate $isolated
		counters
		trace_on net:netif_rx
		wire tcp --from remote --to c1 --destination "$c1_ip" --port 5004 --up 8000 --down 2000
		trace_off
		counted
		equal "TCP in both directions, mode $mode, isolate $isolated" \
			"${got[lost]-} ${got[up]-} ${got[down]-}" "0 8192000 2048000" "$report"
		# Of eight megabytes, each of up to 64 kilobytes.
		at_least "TCP is decapsulated at once" "${delta[decapsulated]}" 100
		at_least "TCP is delivered at once" "${delta[delivered]}" 100
		sees_ping "ICMP echo in fragments, mode $mode, isolate $isolated" -s 6000 "$c1_ip"
	done
done
trace_remove

# Only as low as is said.
knob accelerate interactive
mode sync
isolate 1
counters
udp4 --count "$n" --port 5002
counted
equal "a class below the lowest is not accelerated" "${delta[accelerated]}" 0
counters
udp4 --count "$n" --port 5003
counted
equal "the lowest class is accelerated" "${delta[accelerated]}" "$n"
mode off
counters
udp4 --count "$n" --port 5003
counted
equal "nothing is accelerated in mode off" "${delta[accelerated]} ${delta[completed]}" "0 0"

# All of it is switched while traffic goes on.
background steady udp --from remote --to c1 --source "$remote_ip" --destination "$c1_ip" --port 5002 --count 0 --window 24
background tcp tcp --from remote --to c1 --destination "$c1_ip" --port 5004 --endless
modes=(off sync express)
classes=(high interactive normal bulk)
scale 24 8
for ((i = 0; i < REPLY; i++)); do
	mode "${modes[i % 3]}"
	isolate $((i / 3 & 1))
	knob accelerate "${classes[i / 2 % 4]}"
	pause 0.05
done
equal "TCP goes on while all is switched" "$(running tcp && echo yes)" yes
ended tcp
equal "TCP is intact" "${got[lost]-}" 0 "$report"
ended steady
equal "no datagram is lost, doubled or changed" "${got[lost]-} ${got[duplicate]-} ${got[corrupt]-}" "0 0 0" "$report"
at_least "there were many" "${got[received]-0}" 200
restore_knobs
finish
