# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154
#
# The measurement: how long the service takes to answer the cable under bulk traffic to its
# neighbour, without PRISM and with it in turn. Source it after control.sh and common.sh.

# Requests a second from the cable: 2,500 in ten seconds, of which 25 are above the 99th percentile.
asks=250

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

# begin_bulk RATE: bulk traffic of so many packets a second, once it arrives.
begin_bulk() {
	inject overlay "$1"
	wait_for 10 bulk_arrives || die "no bulk traffic arrives"
}

bulk_arrives() {
	ask count
	sleep 0.5
	counted
	[ "${moved[neighbour]}" -gt 0 ]
}

# has_mode MODE: vanilla, prism with the two settings that modes.rst has for this network, or
# sliced, with the one that it has for services that share their processor too.
has_mode() {
	local isolate=1 slice=0

	case $1 in
	prism) mode express ;;
	sliced) mode express && slice=100 ;;
	*) mode vanilla && isolate=0 ;;
	esac
	ask knob isolate $isolate
	ask knob receiver_slice_us $slice
}

# measure MODE RATE ROUND: with bulk traffic of so many packets a second under way.
measure() {
	local arrived

	has_mode "$1"
	sleep 1
	ask count
	inject ask "$asks $(mac_of cache),${address[cache]} ${port[cache]}"
	sleep "$seconds"
	inject ask 0
	counted
	# What is late comes in the same mode.
	sleep 2
	rate_of neighbour
	arrived=$REPLY
	prism_counters
	echo "data $1 $2 $3 $arrived rules=$(rules_moved)$REPLY"
}

# rules_moved: packets that rules of class high have met.
rules_moved() {
	local name sum=0

	for name in "${!moved[@]}"; do
		[[ $name != rule_docker:* ]] || sum=$((sum + moved["$name"]))
	done
	echo $sum
}

# is_overload RATE: whether the host does not take all of so much bulk traffic, in none of some looks,
# as it may stand still for a moment with any.
is_overload() {
	local look

	begin_bulk "$1"
	for look in {1..4}; do
		ask count
		sleep 2.5
		counted
		rate_of neighbour
		step "of $1 packets/s $REPLY arrive ($look)"
		[ $((REPLY * 100)) -lt $(($1 * 97)) ] || return
	done
}

# find_overload: the first rate of bulk traffic that is too much for the host, in REPLY.
find_overload() {
	local rate

	for rate in 16000 22000 32000 45000 64000 90000 128000; do
		! is_overload "$rate" || break
	done
	inject overlay 0
	REPLY=$rate
}

measure_all() {
	local modes=(vanilla prism sliced) mode rate round i

	has_mode vanilla
	wait_for 30 answers "${address[cache]}:${port[cache]}" || die "the service does not answer"
	step "without bulk traffic"
	measure idle 0 0
	for i in "${!rates[@]}"; do
		[ "${rates[i]}" = overload ] || continue
		find_overload
		rates[i]=$REPLY
	done
	for ((round = 1; round <= rounds; round++)); do
		# Who never sends is forgotten by the bridge, and flooded to.
		on_server in_neighbour ping -q -c 1 -W 5 "$(address_of "$(task_of clients)" "$overlay_net")" >/run/ping.log
		for rate in "${rates[@]}"; do
			begin_bulk "$rate"
			for mode in "${modes[@]}"; do
				step "round $round of $rounds: $rate packets/s, $mode"
				measure "$mode" "$rate" "$round"
			done
		done
		# What drifts hurts all alike when each comes first in turn.
		modes=("${modes[@]:1}" "${modes[0]}")
	done
	inject overlay 0
	has_mode vanilla
}
