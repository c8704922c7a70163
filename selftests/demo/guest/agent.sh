#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Commands on stdin, one line in answer to each:
#   mode off|sync   PRISM's mode
#   moderate GAP    interrupts of the NIC at least so far apart, in microseconds
#   state           counters and the time in microseconds, as NAME=NUMBER ...

. "$(dirname "$0")/common.sh"

# value NAME FILE: adds to the answer.
value() {
	local number

	read -r number <"$2" && answer+=" $1=$number"
}

state() {
	local file

	answer=
	for file in "$PRISM"/stats/*; do
		value "${file##*/}" "$file"
	done
	for file in "$RULES"/*; do
		value "rule_${file##*/}" "$file/packets"
	done
	value bulk /sys/class/net/neighbour/statistics/tx_packets
	answer+=" now=${EPOCHREALTIME/./}"
}

# moderate GAP: what an interrupt throttle does in hardware. The driver of an
# emulated NIC leaves it to NAPI's timer.
moderate() {
	local knobs=/sys/class/net/eth0

	echo $(($1 * 1000)) >$knobs/gro_flush_timeout &&
		echo $(($1 > 0)) >$knobs/napi_defer_hard_irqs
}

while read -r command argument; do
	case $command in
	mode) echo "$argument" >"$PRISM/mode" && answer=ok || answer=failed ;;
	moderate) moderate "$argument" && answer=ok || answer=failed ;;
	state) state ;;
	*) answer=failed ;;
	esac
	echo "$answer"
done
