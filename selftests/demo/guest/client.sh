#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# client.sh ROUNDS SECONDS KIND RATE: the second guest: the clients, and bulk
# traffic to the services' neighbour, of that kind (sockperf, bursts) and rate
# (packets a second, or auto). On stdout, beside `step` and `error`:
#   inject RATE          bulk traffic that the cable is to send, packets a second
#   bulk RATE            what auto has become
#   gap MICROSECONDS     between interrupts of the first guest's NIC under bulk traffic
#   data SERVICE MODE ROUND MEDIAN P99 RATE UNIT NAME=NUMBER...
#                        microseconds, requests a second, what counters moved

. "$(dirname "$0")/common.sh"

rounds=$1 seconds=$2 kind=$3 bulk=$4
services=(memcached nginx echo)
declare -A now=() was=()

# ask COMMAND: the first guest's answer, in REPLY.
ask() {
	REPLY=failed
	if echo "$*" >&"${control[1]}"; then
		IFS= read -r -t 30 REPLY <&"${control[0]}" || REPLY=failed
	fi
	[ "$REPLY" != failed ] || die "the first guest does not do or tell \"$*\""
}

# state: the first guest's counters, in `now`; those of the last call, in `was`.
state() {
	local pair

	for pair in "${!now[@]}"; do
		was[$pair]=${now[$pair]}
	done
	ask state
	for pair in $REPLY; do
		now[${pair%%=*}]=${pair#*=}
	done
}

# moved NAME: by how much between the last two.
moved() { REPLY=$((${now[$1]} - ${was[$1]:-0})); }

# bulk_rate: of what arrives, since the last call of `state`, in REPLY.
bulk_rate() {
	local time

	moved now; time=$REPLY
	moved bulk
	REPLY=$((REPLY * 1000000 / (time > 0 ? time : 1)))
}

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
		echo "inject $1"
		wait_for 10 bulk_moves || die "no bulk traffic arrives"
		;;
	esac
}

bulk_moves() {
	state
	sleep 0.2
	state
	moved bulk
	[ "$REPLY" -gt 0 ]
}

stop_bulk() {
	case $kind in
	sockperf)
		kill "$bulk_pid" || die "bulk traffic has ended: $(tail -n 3 /run/bulk.log)"
		wait "$bulk_pid"
		;;
	bursts)
		echo "inject 0"
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
	state
	sleep 2
	state
	wait "$client"
	stop_bulk
	bulk_rate
	[ $((REPLY * 100)) -ge $(($1 * 95)) ]
}

# moderate PACKETS_PER_SECOND: interrupts as hardware moderates them under such
# a load: one for 64 packets, which is what NAPI takes at a time.
moderate() {
	local gap=$((64 * 1000000 / $1))

	ask moderate $gap
	echo "gap $gap"
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

# run LOG COMMAND...: a client's run, in its container.
run() {
	local log=$1
	shift

	timeout $((seconds + 40)) ip netns exec clients "$@" >"$log" 2>&1 ||
		die "$1 failed ($?): $(tail -n 3 "$log" | tr '\n' ' ')"
}

# The measurements set median and p99 in microseconds, rate, and unit.
measure_memcached() {
	local server=${address[memcached]}:${port[memcached]} probe

	run /run/memprobe.log nice -n -10 /prism/memprobe "$server" "$seconds" 2000 &
	probe=$!
	run /run/memaslap.log memcaslap -s "$server" -T 1 -c 2 -t "${seconds}s"
	wait "$probe" || die "memprobe failed: $(tail -n 1 /run/memprobe.log)"
	read -r median p99 < <(sed -n 's/.*median=\([0-9.]*\) p99=\([0-9.]*\).*/\1 \2/p' /run/memprobe.log)
	rate=$(sed -n 's/.* TPS: \([0-9]*\).*/\1/p' /run/memaslap.log)
	unit=op
}

# wrk: "99%  1.50ms" and "Requests/sec:  100.10"
measure_nginx() {
	run /run/wrk.log wrk -t 1 -c 1 -d "${seconds}s" --latency "http://${address[nginx]}:${port[nginx]}/"
	read -r median p99 rate < <(awk '
		function us(t) { return t * (t ~ /us$/ ? 1 : t ~ /ms$/ ? 1e3 : t ~ /m$/ ? 6e7 : 1e6) }
		$1 == "50%" { median = us($2) }
		$1 == "99%" { p99 = us($2) }
		$1 == "Requests/sec:" { rate = $2 }
		END { print median, p99, rate }' /run/wrk.log)
	unit=req
}

measure_echo() {
	run /run/sockperf.log sockperf ping-pong --no-rdtsc --full-rtt -m 64 -t "$seconds" \
		-i "${address[echo]}" -p "${port[echo]}"
	read -r median p99 rate < <(awk '
		/percentile 50.0/ { median = $NF }
		/percentile 99.00/ { p99 = $NF }
		/Valid Duration/ { split($0, of, /[=; ]+/)
			for (i in of) {
				if (of[i] == "RunTime") time = of[i + 1]
				if (of[i] == "ReceivedMessages") count = of[i + 1]
			} }
		END { print median, p99, time ? count / time : 0 }' /run/sockperf.log)
	unit=msg
}

# measure SERVICE MODE ROUND
measure() {
	local name counters=''

	median='' p99='' rate='' unit=''
	if [ "$2" = sync ]; then ask mode sync; else ask mode off; fi
	state
	case $1 in
	memcached) measure_memcached ;;
	nginx) measure_nginx ;;
	echo) measure_echo ;;
	esac
	state
	case ":$median:$p99:$rate:" in
	*::*) die "the client of $1 told no figures" ;;
	esac
	for name in "${!now[@]}"; do
		case $name in
		now | bulk | rule_*) continue ;;
		esac
		moved "$name"
		[ "$REPLY" = 0 ] || counters+=" $name=$REPLY"
	done
	moved "rule_$1"; counters+=" rule=$REPLY"
	bulk_rate; counters+=" bulk=$REPLY"
	echo "data $1 $2 $3 $median $p99 $rate $unit$counters"
}

underlay eth0 "$client_host" "$client_mac"
overlay eth0 "$client_host" "$server_host"
container clients
container bulk
step "the second guest is ready"
coproc socat - "TCP:$server_host:$control_port,retry=300,interval=0.3" 2>/dev/null
control=("${COPROC[0]}" "${COPROC[1]}")
ask state
for service in "${services[@]}" neighbour; do
	wait_for 20 in_container clients ping -q -c 1 -W 1 "${address[$service]}" ||
		die "the container $service does not answer"
done

ask mode off
[ "$bulk" != auto ] || calibrate
echo "bulk $bulk"
if [ "$rounds" -gt 1 ]; then
	for service in "${services[@]}"; do
		step "without bulk traffic: $service, vanilla"
		measure "$service" idle 0
	done
fi
moderate "$bulk"
start_bulk "$bulk"
for ((round = 1; round <= rounds; round++)); do
	# What drifts hurts both modes alike when each comes first in turn.
	modes=(vanilla sync)
	[ $((round % 2)) = 1 ] || modes=(sync vanilla)
	for service in "${services[@]}"; do
		for mode in "${modes[@]}"; do
			step "round $round of $rounds: $service, ${mode/sync/PRISM sync}"
			measure "$service" "$mode" "$round"
		done
	done
done
stop_bulk
ask mode off
echo "end"
exit 0
