# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154
#
# The measurement: how long the service takes to answer under bulk traffic to its neighbour,
# without PRISM and with it in turn. Source it after control.sh and common.sh.

# Four connections ask for a value each, wait for so many microseconds, and ask again: some
# third of what the client's processor can do, as otherwise its own queue were measured. A fifth
# tells how long it took.
load_connections=4 load_pause=20000 probe_pause=5000

# find_client: the container here that is the clients', which may be another one by now.
find_client() { client_pid=$(pid_of "$(task_of clients)"); }

# find_cache: that of the service, in the first guest.
find_cache() {
	cache=$(on_server task_of cache) && address[cache]=$(on_server address_of "$cache" "$overlay_net")
}

# in_client COMMAND...: in the network of the client's container.
in_client() { nsenter -t "$client_pid" -n "$@"; }

# answers ADDRESS:PORT
answers() { in_client timeout 20 /prism/memprobe "$1" 0.1 1000; }

# load SECONDS: on the service. Its processes' numbers are in `loads`.
load() {
	local n

	loads=()
	for ((n = 0; n < load_connections; n++)); do
		in_client /prism/memprobe "${address[cache]}:${port[cache]}" "$1" $load_pause >"/run/load.$n" 2>&1 &
		loads+=($!)
	done
}

# loaded: waits for it. Connections may be reset where too much is lost; how many is in `broken`.
loaded() {
	local pid

	broken=0
	for pid in "${loads[@]}"; do
		wait "$pid" || broken=$((broken + 1))
	done
}

bulk_arrives() {
	ask count
	sleep 0.5
	counted
	[ "${moved[neighbour]}" -gt 0 ]
}

# try_bulk RATE: whether it arrives, beside the load.
try_bulk() {
	load 4
	inject overlay "$1"
	sleep 1
	ask count
	sleep 2
	counted
	inject overlay 0
	loaded
	rate_of neighbour
	echo "trial $1 $REPLY"
	[ $((REPLY * 100)) -ge $(($1 * 95)) ]
}

# calibrate: five sixths of the lowest rate that is known not to arrive. That is found by
# doubling, and then by halving what is between it and the highest that arrives three times.
calibrate() {
	local low=0 high=2000 n middle

	step "finding the rate of bulk traffic"
	while try_bulk $high; do
		low=$high
		high=$((high * 2))
	done
	for ((n = 0; n < 3; n++)); do
		middle=$(((low + high) / 2))
		if try_bulk $middle; then low=$middle; else high=$middle; fi
	done
	bulk=$((high * 5 / 6))
}

# has_mode MODE: vanilla, or prism: the two settings that modes.rst has for this network.
has_mode() {
	case $1 in
	prism)
		ask knob isolate 1
		mode express
		;;
	*)
		mode vanilla
		ask knob isolate 0
		;;
	esac
}

# measure MODE ROUND
measure() {
	local words bulk_rate

	has_mode "$1"
	load "$((seconds + 2))"
	sleep 1
	ask count
	in_client nice -n -10 /prism/memprobe "${address[cache]}:${port[cache]}" "$seconds" $probe_pause >/run/probe 2>&1 ||
		die "the service does not answer in mode $1: $(tail -n 1 /run/probe)"
	counted
	loaded
	rate_of neighbour
	bulk_rate=$REPLY
	prism_counters
	read -r -a words < <(sed -E 's/.*rate=([^ ]*).* p50=([^ ]*).* p99=([^ ]*).*/\2 \3 \1/' /run/probe)
	echo "data $1 $2 ${words[*]} $bulk_rate rules=$(rules_moved) broken=$broken$REPLY"
}

# rules_moved: packets that rules of class high have met.
rules_moved() {
	local name sum=0

	for name in "${!moved[@]}"; do
		[[ $name != rule_docker:* ]] || sum=$((sum + moved["$name"]))
	done
	echo $sum
}

measure_all() {
	local modes=(vanilla prism) mode round

	has_mode vanilla
	wait_for 30 answers "${address[cache]}:${port[cache]}" || die "the service does not answer"
	[ "$bulk" != auto ] || calibrate
	echo "bulk $bulk"
	step "without bulk traffic"
	measure idle 0
	inject overlay "$bulk"
	wait_for 10 bulk_arrives || die "no bulk traffic arrives"
	for ((round = 1; round <= rounds; round++)); do
		# Who never sends is forgotten by the bridge, and flooded to.
		on_server in_neighbour ping -q -c 1 -W 5 "$(address_of "$(task_of clients)" "$overlay_net")" >/run/ping.log
		for mode in "${modes[@]}"; do
			step "round $round of $rounds: $mode"
			measure "$mode" "$round"
		done
		# What drifts hurts both alike when each comes first in turn.
		modes=("${modes[1]}" "${modes[0]}")
	done
	inject overlay 0
	has_mode vanilla
}
