#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# client.sh ROUNDS SECONDS KIND RATE: the second guest: the clients, and bulk
# traffic to the services' neighbour, of that kind (sockperf, bursts) and rate
# (packets a second, or auto). On stdout, beside `step` and `error`:
#   inject FLOW RATE     bulk traffic that the cable is to send, packets a second
#   bulk RATE            what auto has become
#   gap MICROSECONDS     between interrupts of the first guest's NIC under bulk traffic
#   data SERVICE MODE ROUND MEDIAN P99 RATE UNIT NAME=NUMBER...
#                        microseconds, requests a second, what counters moved

. "$(dirname "$0")/../../pair/guest/common.sh"
. "$(dirname "$0")/../../pair/guest/control.sh"
. "$(dirname "$0")/../../pair/guest/clients.sh"

rounds=$1 seconds=$2 kind=$3 bulk=$4
services=(memcached nginx echo)
modes=(vanilla sync isolated)
declare -A label=([vanilla]=vanilla [sync]="PRISM sync" [isolated]="PRISM sync, isolated")

# Bulk traffic is not what is measured: sockperf gets what processor the clients
# leave, bursts come from the cable.
bulk_pid=
start_bulk() {
	case $kind in
	sockperf)
		ip netns exec bulk nice sockperf throughput --no-rdtsc -i "${address[neighbour]}" \
			-p "${port[neighbour]}" -m 64 --mps="$1" -t 3600 >/run/bulk.log 2>&1 &
		bulk_pid=$!
		sleep 1
		kill -0 "$bulk_pid" || die "bulk traffic does not start: $(tail -n 3 /run/bulk.log)"
		;;
	bursts)
		inject overlay "$1"
		wait_for 10 bulk_moves || die "no bulk traffic arrives"
		;;
	esac
}

bulk_moves() {
	ask count
	sleep 0.2
	counted
	[ "${moved[neighbour]}" -gt 0 ]
}

stop_bulk() {
	case $kind in
	sockperf)
		kill "$bulk_pid" || die "bulk traffic has ended: $(tail -n 3 /run/bulk.log)"
		wait "$bulk_pid"
		;;
	bursts)
		inject overlay 0
		sleep 1
		;;
	esac
}

# try_bulk RATE: whether it arrives, beside a client.
try_bulk() {
	local client

	start_bulk "$1"
	ip netns exec clients wrk -t 1 -c 1 -d 3s "http://${address[nginx]}:${port[nginx]}/" >/dev/null 2>&1 &
	client=$!
	ask count
	sleep 2
	counted
	wait "$client"
	stop_bulk
	rate_of neighbour
	[ $((REPLY * 100)) -ge $(($1 * 95)) ]
}

# calibrate: five eighths of the highest rate of these that all arrives, in
# packets a second.
calibrate() {
	local rate

	bulk=2000
	for rate in 4000 8000 12000 16000 24000 32000 48000 64000 96000 128000; do
		step "finding the rate of bulk traffic: $rate packets/s"
		try_bulk "$rate" || break
		bulk=$((rate * 5 / 8))
	done
}

# measure SERVICE MODE ROUND
measure() {
	local counters

	case $2 in
	sync | isolated) mode sync ;;
	*) mode vanilla ;;
	esac
	case $2 in
	isolated) ask knob isolate 1 ;;
	*) ask knob isolate 0 ;;
	esac
	ask count
	"measure_$1"
	counted
	prism_counters; counters=$REPLY
	rate_of neighbour
	counters+=" rule=${moved[rule_$1]} bulk=$REPLY"
	echo "data $1 $2 $3 ${figure[p50]} ${figure[p99]} ${figure[rate]} $unit$counters"
}

join_pair
mode vanilla
[ "$bulk" != auto ] || calibrate
step "bulk traffic: $bulk packets/s"
echo "bulk $bulk"
if [ "$rounds" -gt 1 ]; then
	for service in "${services[@]}"; do
		step "without bulk traffic: $service, vanilla"
		measure "$service" idle 0
	done
fi
moderate "$bulk"
echo "gap $gap"
start_bulk "$bulk"
for ((round = 1; round <= rounds; round++)); do
	for service in "${services[@]}"; do
		for mode in "${modes[@]}"; do
			step "round $round of $rounds: $service, ${label[$mode]}"
			measure "$service" "$mode" "$round"
		done
	done
	# What drifts hurts all modes alike when each comes first in turn.
	modes=("${modes[@]:1}" "${modes[0]}")
done
stop_bulk
mode vanilla
ask knob isolate 0
echo "end"
exit 0
