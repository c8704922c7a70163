#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Commands on stdin, one line in answer to each:
#   mode off|sync...      PRISM's mode
#   knob NAME VALUE       a file of /sys/kernel/prism
#   gro auto|bypass|keep  what becomes of segments for memcached
#   serve HOW             with what policy memcached runs: as it is, at once
#                         (SCHED_FIFO) or nice (the least)
#   busy N                so many tasks that want the services' processor
#   rule NAME 0|1         that rule of class high holds or not
#   moderate GAP          interrupts of the NIC at least so far apart, in microseconds
#   count                 counters count from here on
#   count DELAY SECONDS   they count by themselves, so long and after such a delay
#   moved                 by how much counters have moved, as NAME=NUMBER ...; with
#                         it `elapsed`, in microseconds, and `idle`, the time in
#                         which the receiving processor had nothing to do

. "$(dirname "$0")/common.sh"

declare -A now=() was=()

# received NAME: IP packets and bytes that came to where that service is, whether
# or not its socket had room.
received() {
	local lines names numbers n line

	# All at once, as lines change their lengths from one read to the next.
	mapfile -t lines <"/proc/$(</run/"$1".pid)/net/netstat"
	for ((line = 0; line + 1 < ${#lines[@]}; line += 2)); do
		read -r -a names <<<"${lines[line]}"
		[ "${names[0]}" = IpExt: ] || continue
		read -r -a numbers <<<"${lines[line + 1]}"
		for n in "${!names[@]}"; do
			case ${names[n]} in
			InNoECTPkts) now[$1]=${numbers[n]} ;;
			InOctets) now[$1_bytes]=${numbers[n]} ;;
			esac
		done
	done
}

state() {
	local file word line lines ticks

	for word in "${!now[@]}"; do
		was[$word]=${now[$word]}
	done
	for file in "$PRISM"/stats/*; do
		read -r "now[${file##*/}]" <"$file"
	done
	for file in "$RULES"/*; do
		read -r "now[rule_${file##*/}]" <"$file/packets"
	done
	received neighbour
	[ ! -e /run/host_neighbour.pid ] || received host_neighbour
	# cpu0: user nice system idle iowait ... All at once, as above.
	mapfile -t lines </proc/stat
	for line in "${lines[@]}"; do
		[[ $line == "cpu0 "* ]] || continue
		read -r -a ticks <<<"$line"
		now[idle]=$(((ticks[4] + ticks[5]) * 10000))
	done
	now[elapsed]=${EPOCHREALTIME/./}
}

moved() {
	local name

	state
	answer=
	for name in "${!now[@]}"; do
		answer+=" $name=$((now[$name] - ${was[$name]:-0}))"
	done
}

# count_later DELAY SECONDS
count_later() {
	sleep "$1"
	state
	sleep "$2"
	moved
	echo "$answer" >/run/moved
}

# moderate GAP: what an interrupt throttle does in hardware. The driver of an
# emulated NIC leaves it to NAPI's timer.
moderate() {
	local knobs=/sys/class/net/eth0

	echo $(($1 * 1000)) >$knobs/gro_flush_timeout &&
		echo $(($1 > 0)) >$knobs/napi_defer_hard_irqs
}

# gro HOW: a rule changes while it does not hold.
gro() {
	local dir=$RULES/memcached

	echo 0 >"$dir/enabled" && echo "$1" >"$dir/gro" && echo 1 >"$dir/enabled"
}

# serve HOW: what a user could do, or a module that knows who receives.
serve() {
	local pid policy nice=0

	case $1 in
	as-it-is) policy="--other 0" ;;
	at-once) policy="--fifo 1" ;;
	nice) policy="--other 0" nice=-20 ;;
	*) return 1 ;;
	esac
	for pid in "/proc/$(</run/memcached.pid)/task"/*; do
		pid=${pid##*/}
		# shellcheck disable=SC2086
		chrt ${policy% *} --pid "${policy#* }" "$pid" && renice -n "$nice" -p "$pid" >/dev/null || return
	done
}

# busy N: such tasks, and no others.
others=()
busy() {
	local n

	for n in "${others[@]}"; do
		kill "$n"
		wait "$n" 2>/dev/null
	done
	others=()
	for ((n = 0; n < $1; n++)); do
		taskset -c "$(($(nproc) - 1))" bash -c 'while :; do :; done' >/dev/null 2>&1 &
		others+=($!)
	done
}

counting=
while read -r command argument second; do
	answer=ok
	case $command in
	mode) echo "$argument" >"$PRISM/mode" || answer=failed ;;
	rule) echo "$second" >"$RULES/$argument/enabled" || answer=failed ;;
	moderate) moderate "$argument" || answer=failed ;;
	knob) echo "$second" >"$PRISM/$argument" || answer=failed ;;
	gro) gro "$argument" || answer=failed ;;
	serve) serve "$argument" || answer=failed ;;
	busy) busy "$argument" || answer=failed ;;
	count)
		if [ -n "$argument" ]; then
			count_later "$argument" "$second" &
			counting=$!
		else
			state
		fi
		;;
	moved)
		if [ -n "$counting" ]; then
			wait "$counting"
			counting=
			read -r answer </run/moved
		else
			moved
		fi
		;;
	*) answer=failed ;;
	esac
	echo "$answer"
done
