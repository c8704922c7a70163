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

# under_bulk RATE SECONDS COMMAND...: what the first guest counts under bulk traffic, while COMMAND runs, which takes
# so many seconds; in REPLY, how much of it arrives a second. Meanwhile nothing is asked of that guest: with too
# much to do, it may not answer in time. To count takes it a tenth of a second and more, so it does that before
# COMMAND begins, and when it has ended.
under_bulk() {
	neighbour_sends || die "the neighbour does not reach the clients"
	ask count 1 $(($2 + 3))
	inject overlay "$1"
	sleep 3
	"${@:3}"
	sleep 2
	inject overlay 0
	counted
	rate_of neighbour
}

# requests: for so many seconds as a round has.
requests() {
	inject ask "$asks $(mac_of cache),${address[cache]} ${port[cache]}"
	sleep "$seconds"
	inject ask 0
}

# measure MODE RATE ROUND
measure() {
	local arrived

	has_mode "$1"
	under_bulk "$2" "$seconds" requests
	arrived=$REPLY
	[ "$2" = 0 ] || [ "$arrived" -gt 0 ] || die "no bulk traffic arrives"
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

# is_overload RATE: whether the processor that receives has hardly any time left with so much bulk traffic, in each
# of some looks, as the host may stand still for a moment with any.
is_overload() {
	local look left

	for look in {1..3}; do
		under_bulk "$1" 3 sleep 3
		left=$((moved[idle] * 100 / moved[elapsed]))
		step "of $1 packets/s $REPLY arrive, and $left % of the time are left ($look)"
		[ $left -lt 5 ] || return
	done
}

# find_overload: the first rate of bulk traffic that is too much for the host, or the last that was tried, in
# REPLY.
find_overload() {
	local rate=17000

	until is_overload "$rate" || [ $rate -gt 200000 ]; do
		rate=$((rate * 11 / 10))
	done
	REPLY=$rate
}

# neighbour_sends: who never sends is not known to the bridge, or forgotten, and flooded to. What of it is
# lost is told of: on the way here, or on the way back.
neighbour_sends() {
	local before rc=0

	before=$(echoes)
	on_server in_neighbour ping -q -c 3 -i 0.3 -W 5 "$(address_of "$(task_of clients)" "$overlay_net")" >/run/ping.log ||
		rc=1
	grep -q ' 3 received' /run/ping.log ||
		step "of the neighbour's echo requests $(($(echoes) - before)) came here: $(grep -E 'received|^ping' /run/ping.log)"
	return $rc
}

# echoes: how many echo requests came to the client's container.
echoes() {
	awk '$1 == "Icmp:" && !n { n = split($0, names); next }
		$1 == "Icmp:" { for (i = 2; i <= n; i++) if (names[i] == "InEchos") print $i }' "/proc/$client_pid/net/snmp"
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
		for rate in "${rates[@]}"; do
			for mode in "${modes[@]}"; do
				step "round $round of $rounds: $rate packets/s, $mode"
				measure "$mode" "$rate" "$round"
			done
		done
		# What drifts hurts all alike when each comes first in turn.
		modes=("${modes[@]:1}" "${modes[0]}")
	done
	has_mode vanilla
}
