# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154
#
# The clients. Each runs for so many `seconds` and leaves in `figure`: the requests
# that were sent and answered, their latency (p50 p90 p99 p999 max mean, in
# microseconds, both ways), and their rate a second; in `unit`, what a request is.
# Source it after common.sh.

declare -A figure=()

# figures NAME=NUMBER...
figures() {
	local word

	figure=()
	for word; do
		figure[${word%%=*}]=${word#*=}
	done
	case :${figure[p50]-}:${figure[p99]-}:${figure[rate]-}: in
	*::*) die "a client told no figures but: $*" ;;
	esac
}

# Where clients run.
from=(ip netns exec clients)

# run LOG COMMAND...: a client's run.
run() {
	local log=$1
	shift

	timeout $((seconds + 40)) "${from[@]}" "$@" >"$log" 2>&1 ||
		die "$1 failed ($?): $(tail -n 3 "$log" | tr '\n' ' ')"
}

# memaslap tells throughput; the latency is that of single gets beside it.
measure_memcached() {
	local server=${address[memcached]}:${port[memcached]} probe words

	run /run/memprobe.log nice -n -10 /prism/memprobe "$server" "$seconds" 2000 &
	probe=$!
	run /run/memaslap.log memcaslap -s "$server" -T 1 -c 2 -t "${seconds}s"
	wait "$probe" || die "memprobe failed: $(tail -n 1 /run/memprobe.log)"
	read -r -a words </run/memprobe.log
	figures "${words[@]}" rate="$(sed -n 's/.* TPS: \([0-9]*\).*/\1/p' /run/memaslap.log)"
	unit=op
}

measure_nginx() {
	local words

	run /run/wrk.log wrk -t 1 -c 1 -d "${seconds}s" -s "$PAIR/wrk.lua" \
		"http://${address[nginx]}:${port[nginx]}/"
	read -r -a words < <(sed -n 's/^figures //p' /run/wrk.log)
	figures "${words[@]}"
	unit=req
}

# sockperf_figures: from what sockperf says on stdin.
sockperf_figures() {
	awk '
		/====> avg-/ { sub(/.*====> avg-[^=]*=/, ""); mean = $0 + 0 }
		/percentile 50.0/ { p50 = $NF }
		/percentile 90.0/ { p90 = $NF }
		/percentile 99.00/ { p99 = $NF }
		/percentile 99.90/ { p999 = $NF }
		/<MAX> observation/ { max = $NF }
		/Valid Duration/ { split($0, of, /[=; ]+/)
			for (i in of) {
				if (of[i] == "RunTime") time = of[i + 1]
				if (of[i] == "SentMessages") sent = of[i + 1]
				if (of[i] == "ReceivedMessages") received = of[i + 1]
			} }
		END {
			printf "sent=%d received=%d rate=%s", sent, received, time ? received / time : ""
			printf " p50=%s p90=%s p99=%s p999=%s max=%s mean=%s\n", p50, p90, p99, p999, max, mean
		}'
}

# ping_pong NAME: sockperf, one message after the other. It waits for ever for one
# that is lost, and may then have seen too few for figures.
ping_pong() {
	local words tries=3

	while [ $tries -gt 0 ]; do
		run /run/sockperf.log sockperf ping-pong --no-rdtsc --full-rtt -m 64 -t "$seconds" \
			-i "${address[$1]}" -p "${port[$1]}"
		read -r -a words < <(sockperf_figures </run/sockperf.log)
		[[ "${words[*]} " = *"= "* ]] || break
		tries=$((tries - 1))
	done
	figures "${words[@]}"
	unit=msg
}

measure_echo() { ping_pong echo; }
