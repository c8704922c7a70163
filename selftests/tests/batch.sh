#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Mode batch: the packets of class high that a NIC's poll brings go through the
# stages together, before anything else.

. "${0%/*}/../lib.sh"
trap ended_early EXIT

# batched DESCRIPTION COUNT: so many packets were completed, in batches, and
# wherever they were to be received at once.
batched() {
	ran_to_completion "$1" "$2"
	equal "$1: all in batches" "${delta[batched]} ${delta[dropped_high]}" "$2 0"
}

underlay
overlay_bridge
high flow4 vni=100 protocol=udp destination_port=5001 "destination=$c1_ip"
high flow6 vni=100 protocol=udp destination_port=5001 "destination=$c1_ip6"
udp4 --count 3
udp6 --count 3
scale 123 61
n=$REPLY

same_in batch "UDP" udp4 --count "$n" --sizes 0-40,400,1000,1380
batched "UDP" "$n"
same_in batch "UDP over IPv6" udp6 --count "$n" --sizes 0-40,400,1000,1380
batched "UDP over IPv6" "$n"
same_in batch "UDP, many at once" udp4 --count 200 --window 40
batched "UDP, many at once" 200
same_in batch "UDP without a rule" udp4 --count "$n" --port 5002
equal "UDP without a rule is in no batch" "${delta[batched]} ${delta[delivered]}" "0 0"
same_in batch "UDP in fragments" udp4 --count 8 --window 2 --sizes 1500,20000,65000
high icmp vni=100 protocol=icmp
mode batch
counters
sees_ping "ICMP echo" -s 1000 "$c1_ip"
counted
at_least "ICMP goes in batches" "${delta[batched]}" 3

# A flow to the host itself has but one stage.
high host vni=none protocol=udp destination_port=5001
counters
wire udp --from remote --to '' --source "$peer_ip" --destination "$host_ip" --count 20
counted
arrived "UDP to the host"
equal "UDP to the host: in batches" "${delta[batched]} ${delta[completed]}" "20 20"
rmdir "$RULES"/host "$RULES"/icmp

# Nothing is overtaken while modes and knobs change, nor lost when the module goes.
background tcp tcp --from remote --to c1 --destination "$c1_ip" --port 5004 --endless
background steady udp --from remote --to c1 --source "$remote_ip" --destination "$c1_ip" --count 0 --window 24
high tcp vni=100 protocol=tcp destination_port=5004
modes=(batch sync batch express)
scale 60 24
for ((i = 0; i < REPLY; i++)); do
	mode "${modes[i % 4]}"
	isolate $((i / 3 & 1))
	[ $((i % 4)) != 1 ] || knob accelerate bulk
	[ $((i % 4)) != 3 ] || knob accelerate high
	pause 0.03
done
isolate 0
equal "TCP goes on while the mode is switched" "$(running tcp && echo yes)" yes
ended tcp
equal "TCP is intact" "${got[lost]-}" 0 "$report"
ended steady
equal "no datagram is lost, doubled, changed or overtaken while the mode is switched" \
	"${got[lost]-} ${got[duplicate]-} ${got[corrupt]-} ${got[reordered]-}" "0 0 0 0" "$report"
at_least "there were many" "${got[received]-0}" 300

mode batch
background steady udp --from remote --to c1 --source "$remote_ip" --destination "$c1_ip" --count 0 --window 64
for ((i = 0; i < 5; i++)); do
	remove_rules
	check "the module goes in mode batch" rmmod prism
	insmod "$SELFTESTS"/../prism.ko
	high flow4 vni=100 protocol=udp destination_port=5001
	mode batch
	pause 0.1
done
ended steady
equal "nothing is lost when the module goes" "${got[lost]-} ${got[duplicate]-} ${got[corrupt]-}" "0 0 0" "$report"

# The order of polls, and of the devices that receive. Eight packets of class high
# and eight others come at once, one of each in turn, each time.
sim_load
sim_up
for port in 5001 5002; do
	sim_sink c1 "$c1_ip $port"
done
tunnel="vni=100 source=$remote_ip destination=$c1_ip source_mac=$remote_mac destination_mac=02:00:00:00:00:11 outer_source=$sim_peer_ip outer_destination=$sim_ip"
# Lengths tell the two apart.
echo "high rate=400 burst=8 size=200 destination_port=5001 $tunnel" >"$sim"/flows
echo "other rate=400 burst=8 size=300 destination_port=5002 $tunnel" >"$sim"/flows

# traced MODE: the order of what the traffic does in that mode, in `seen`.
traced() {
	mode "$1"
	trace_on napi:napi_poll net:netif_receive_skb
	sim_traffic 400
	trace_off
	seen=$(order 228 328)
	note "mode $1: $seen"
}

# order HIGH OTHER: of what was traced, in words
#   batches   how often packets of class high went through the stages together
#   largest   the most packets in one of them
#   broken    how often something else was received, or a packet was at another stage
#             than the rest of its batch
#   late      how often a batch was not polled right behind the NIC
order() {
	awk -v high="$1" -v other="$2" '
	BEGIN { batches = largest = broken = late = 0 }
	{
		for (i = 1; i <= NF; i++)
			if ($i ~ /^[a-z_]+:$/) { event = $i; break }
		split("", value)
		for (; i <= NF; i++) {
			if ((at = index($i, "=")) > 1) value[substr($i, 1, at - 1)] = substr($i, at + 1)
			if ($i == "device") polled = $(i + 1)
			if ($i == "work") work = $(i + 1)
		}
		dev = value["dev"]; len = value["len"] + 0
	}
	event == "napi_poll:" {
		if (polled == "prism_batch" && work > 0 && last != "sim0") late++
		last = polled
		next
	}
	event != "netif_receive_skb:" || (dev != "sim0" && dev != "vx100" && dev != "eth0") { next }
	dev == "sim0" { len -= 50 }
	len == high {
		if (dev == "sim0") { if (n["vx100"] && n["eth0"] < n["sim0"]) broken++
			if (n["vx100"]) split("", n)
			n["sim0"]++
			next }
		if (dev == "vx100" && n["eth0"]) broken++
		if (dev == "eth0" && n["vx100"] != n["sim0"]) broken++
		n[dev]++
		if (dev == "eth0" && n["eth0"] == n["sim0"]) {
			batches++
			if (n["eth0"] > largest) largest = n["eth0"]
		}
	}
	len == other { if (n["sim0"] && n["eth0"] < n["sim0"]) broken++ }
	END { print "batches=" batches, "largest=" largest, "broken=" broken, "late=" late }
	' "$trace_dir"/trace
}

# Where the interrupt comes late, as it does in a busy host, the softirq has begun with others.
for _ in 1 2 3; do
	traced batch
	read -r batches largest broken late <<<"${seen//[a-z=]/}"
	[ "$late" -gt $((batches / 4)) ] || break
done
at_least "there were many batches" "$batches" 5
at_least "eight packets of class high go together" "$largest" 8
equal "no packet leaves its batch, or comes in between" "$broken" 0
at_least "a batch is polled right behind the NIC" $((batches - late)) $((batches - batches / 4))
for flow in high other; do
	read -r sent received _ <<<"$(sim_flow $flow)"
	equal "flow $flow: all is received" "$received" "$sent"
done

# That is how the mode does it: the others do not.
traced sync
matches "in mode sync each goes by itself" "$seen" 'largest=1 '
trace_remove
sim_down
finish
