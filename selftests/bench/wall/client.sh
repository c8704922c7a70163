#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# client.sh MODES EXPERIMENTS ROUNDS SECONDS: the guest of the clients, which has
# all experiments run: each for so many seconds in each mode and round. Lists are
# separated by commas. On stdout, beside `step` and `error`:
#   inject FLOW RATE   bulk traffic that the cable is to send, packets a second
#   saturation RATE    in each round the highest rate that arrives with vanilla,
#                      packets a second
#   saturation_tcp RATE   the same of TCP from this guest, bytes a second
#   gap MICROSECONDS   in each round the time between interrupts of the first
#                      guest's NIC under load
#   data EXPERIMENT LOAD MODE ROUND unit=UNIT NAME=NUMBER...
#                      LOAD is in per cent of saturation; the names are those of
#                      clients.sh, of PRISM's counters, and
#     rule     packets that the rules of class high counted
#     idle     the receiving processor's, in per cent
#     bulk     what arrived, in packets a second, or bytes (bulk_bytes) of TCP

. "$(dirname "$0")/../../pair/guest/common.sh"
. "$(dirname "$0")/../../pair/guest/control.sh"
. "$(dirname "$0")/../../pair/guest/clients.sh"
. "$(dirname "$0")/neighbours.sh"

IFS=, read -r -a modes <<<"$1"
IFS=, read -r -a experiments <<<"$2"
rounds=$3 seconds=$4

# Bulk traffic runs for so long, in seconds, before it counts.
settle=0.5
# The load beside which services are measured, in per cent of saturation: the
# paper's 300,000 of 400,000 to 500,000 packets a second.
usual=65
# Messages a second of the client that does not wait for answers.
probe_rate=100

# plan EXPERIMENT: its client, the loads, and the flow of bulk traffic. Where
# `high` is set, this flow is of class high, too. `busy` is how many tasks want the
# services' processor, `size` that of the values that are stored.
plan() {
	client=echo loads=("$usual") flow=overlay high=0 busy=0 size=
	case $1 in
	idle) loads=(0) ;;
	high-load) high=1 ;;
	rate) client=highest_rate loads=(160) high=1 ;;
	overlay) ;;
	host) client=host_echo flow=host ;;
	sweep) client=probe loads=(30 60 90 120 200) ;;
	memcached) client=memcached ;;
	receiver) client=memcached busy=2 ;;
	values-1k) client=values size=1024 loads=(0) ;;
	values-1m) client=values size=1048576 loads=(0) ;;
	nginx) client=nginx flow=tcp ;;
	esac
}

measure_host_echo() {
	local from=()

	ping_pong host_echo
}

measure_values() {
	local words

	run /run/memprobe.log /prism/memprobe "${address[memcached]}:${port[memcached]}" "$seconds" 0 "$size"
	read -r -a words </run/memprobe.log
	figures "${words[@]}"
	unit=op
}

measure_probe() {
	local words

	run /run/udpprobe.log /prism/udpprobe "${address[echo]}:${port[echo]}" "$seconds" "$probe_rate"
	read -r -a words </run/udpprobe.log
	figures "${words[@]}"
	unit=msg
}

# The highest of the rates that arrive when as much or more is offered than arrived
# last, as the offer at which most arrive depends on the mode.
measure_highest_rate() {
	local offer best=0

	for offer in 80 100 125 160; do
		arriving $((saturation * offer / 100))
		[ "$REPLY" -le "$best" ] || best=$REPLY
	done
	figure=([rate]=$best)
	unit=packet
}

# start_flow LOAD, stop_flow
iperf=
start_flow() {
	[ "$1" != 0 ] || return 0
	case $flow in
	tcp) start_tcp $((saturation_tcp * 8 * $1 / 100)) ;;
	*) inject "$flow" $((saturation * $1 / 100)) ;;
	esac
}

stop_flow() {
	if [ -n "$iperf" ]; then
		kill "$iperf" || die "bulk traffic has ended: $(tail -n 3 /run/iperf.log)"
		wait "$iperf"
		iperf=
	else
		inject overlay 0
	fi
	sleep 0.3
}

# start_tcp BITS_PER_SECOND: 0 is as fast as it can.
start_tcp() {
	ip netns exec bulk nice iperf3 --forceflush -c "${address[neighbour]}" -p "${port[neighbour_tcp]}" \
		-b "$1" -t 3600 >/run/iperf.log 2>&1 &
	iperf=$!
	wait_for 10 tcp_runs || die "bulk traffic does not start: $(tail -n 3 /run/iperf.log)"
}

tcp_runs() { grep -q "connected to" /run/iperf.log || ! kill -0 "$iperf"; }

# arriving RATE: of so many packets a second to the neighbour, how many arrive, in
# REPLY.
arriving() {
	ask count $settle 1
	inject overlay "$1"
	counted
	inject overlay 0
	sleep 0.3
	rate_of neighbour
}

# search: the most that arrives, in saturation, looked for upwards until clearly
# less arrives than is sent.
search() {
	local rate=4000 short=0

	saturation=0
	while [ $short -lt 2 ]; do
		step "looking for saturation: $rate packets/s"
		arriving $rate
		[ "$REPLY" -le $saturation ] || saturation=$REPLY
		[ $((REPLY * 10)) -ge $((rate * 9)) ] || short=$((short + 1))
		rate=$((rate * 4 / 3))
	done
}

# find_saturation: anew for each round, as it is what the machine has left.
find_saturation() {
	way vanilla
	ask rule neighbour 0
	moderate 0
	measure_highest_rate
	saturation=${figure[rate]}
	echo "saturation $saturation"
	if [[ " ${experiments[*]} " = *" nginx "* ]]; then
		find_tcp_saturation
	fi
	moderate $((saturation * usual / 100))
	echo "gap $gap"
}

find_tcp_saturation() {
	start_tcp 0
	sleep $settle
	ask count
	sleep 2
	counted
	stop_flow
	rate_of neighbour_bytes
	saturation_tcp=$REPLY
	echo "saturation_tcp $saturation_tcp"
}

# way MODE: PRISM's mode, and what goes with it.
way() {
	local mode=$1 slice=0 how=as-it-is gro=auto

	case $1 in
	slice) mode=sync slice=100 ;;
	nice) mode=sync how=nice ;;
	realtime) mode=sync how=at-once ;;
	keep | bypass) mode=sync gro=$1 ;;
	esac
	ask knob receiver_slice_us $slice
	ask serve $how
	ask gro "$gro"
	mode "$mode"
}

# cell EXPERIMENT LOAD MODE ROUND
cell() {
	local name told='' high_packets=0

	ask rule neighbour "$high"
	way "$3"
	ask busy "$busy"
	if [ "$client" = highest_rate ]; then
		measure_highest_rate
	else
		ask count $settle "$seconds"
		start_flow "$2"
		"measure_$client"
		stop_flow
		counted
	fi
	for name in "${!moved[@]}"; do
		case $name in
		rule_*) high_packets=$((high_packets + moved[$name])) ;;
		esac
	done
	for name in "${!figure[@]}"; do
		told+=" $name=${figure[$name]}"
	done
	prism_counters; told+=$REPLY
	told+=" rule=$high_packets idle=$((moved[idle] * 100 / moved[elapsed]))"
	if [ "$2" != 0 ] && [ "$client" != highest_rate ]; then
		bulk_words; told+=$REPLY
	fi
	echo "data $1 $2 $3 $4 unit=$unit$told"
}

# bulk_words: what arrived of bulk traffic, in REPLY.
bulk_words() {
	case $flow in
	tcp) rate_of neighbour_bytes; REPLY=" bulk_bytes=$REPLY" ;;
	host) rate_of host_neighbour; REPLY=" bulk=$REPLY" ;;
	*) rate_of neighbour; REPLY=" bulk=$REPLY" ;;
	esac
}

# round NUMBER: what drifts hurts all modes alike when each comes first in turn.
round() {
	local experiment load mode order=("${modes[@]}") n

	if [ $(($1 % 2)) = 0 ]; then
		order=()
		for ((n = ${#modes[@]} - 1; n >= 0; n--)); do
			order+=("${modes[n]}")
		done
	fi
	step "round $1 of $rounds: saturation"
	ask busy 0
	find_saturation
	for experiment in "${experiments[@]}"; do
		plan "$experiment"
		for load in "${loads[@]}"; do
			if [ "$load" = 0 ]; then moderate 0; else moderate $((saturation * usual / 100)); fi
			for mode in "${order[@]}"; do
				step "round $1 of $rounds: $experiment at $load %, $mode"
				cell "$experiment" "$load" "$mode" "$1"
			done
		done
	done
}

join_pair
knows_host "$server_host" "$server_mac"
knows clients memcached nginx echo neighbour
knows bulk neighbour
for mode in "${modes[@]}" vanilla; do
	way "$mode"
done
ask rule neighbour 0
search
for ((round = 1; round <= rounds; round++)); do
	round "$round"
done
way vanilla
ask busy 0
echo "end"
exit 0
