#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The module's own tracepoints: each packet is told of at each stage, with the reason where
# it is handed back, demoted or dropped, and of nothing while nobody looks.

. "${0%/*}/../lib.sh"
trap ended_early EXIT

trace=$trace_dir/trace
events=$trace_dir/events/prism

# told WORD...: how many events have all of these words.
told() {
	awk -v words="$*" '
	BEGIN { n = split(words, word, " ") }
	/^#/ { next }
	{
		for (i = 1; i <= n; i++)
			if (index($0 " ", " " word[i] " ") == 0) next
		count++
	}
	END { print count + 0 }' "$trace"
}

# stages PORT: how packets to that port went, each way with how many went it. A packet
# begins with what it is classified as; that some are held back before is passed over.
stages() {
	awk -v port=":$1" '
	/^#/ { next }
	{
		split("", value)
		event = ""
		for (i = 1; i <= NF; i++) {
			if ($i ~ /^prism_[a-z]+:$/) event = substr($i, 7, length($i) - 7)
			if ((at = index($i, "=")) > 1) value[substr($i, 1, at - 1)] = substr($i, at + 1)
		}
		if (substr(value["destination"], length(value["destination"]) - length(port) + 1) != port) next
		skb = value["skbaddr"]
		if (event == "classify") {
			if (skb in way) ways[way[skb]]++
			way[skb] = value["class"]
			hash[value["hash"]] = 1
		} else if (value["to"] == "gate")
			next
		else if (event == "deliver")
			way[skb] = way[skb] " " value["to"] "/" value["way"]
		else
			way[skb] = way[skb] " " event ":" value["reason"]
	}
	END {
		for (skb in way) ways[way[skb]]++
		for (w in ways) print ways[w], w
		for (h in hash) flows++
		print flows + 0, "flow"
	}' "$trace" | sort -k 2
}

# watch COMMAND...: what it sends is told of.
watch() {
	trace_on prism:prism_classify prism:prism_deliver prism:prism_fallback prism:prism_demote prism:prism_drop
	counters
	"$@"
	counted
	trace_off
}

# some_held: a change of the mode holds packets back where others were under way.
some_held() {
	local now

	mode batch
	mode sync
	read -r now <"$PRISM/stats/held"
	[ "$now" -gt "${before[held]}" ]
}

# change_modes: while packets come, until some were held back.
change_modes() {
	background flow udp --from remote --to c1 --source "$remote_ip" --destination "$c1_ip" --count 0 --window 8
	wait_for 20 some_held
	ended flow
}

underlay
overlay_bridge
high flow vni=100 protocol=udp destination_port=5001
mode sync
udp4 --count 3
udp6 --count 3

trace_on net:netif_receive_skb prism:prism_classify prism:prism_deliver
udp4 --count 5
at_least "what is looked at is told" "$(grep -c 'prism_' "$trace")" 10
echo 0 >"$trace_dir"/events/prism/enable
: >"$trace"
udp4 --count 5
trace_off
equal "nothing is told while nobody looks" "$(grep -c 'prism_' "$trace")" 0
at_least "but of others" "$(grep -c 'netif_receive_skb' "$trace")" 5
lacking=
for file in "$PRISM"/stats/*; do
	grep -q "\"${file##*/}\"" "$events/prism_fallback/format" || lacking+=" ${file##*/}"
done
equal "all counters are reasons" "$lacking" ""

# The way through all stages.
watch udp4 --count 40
ran_to_completion "while somebody looks" 40
equal "each packet is classified once" "$(told prism_classify: rule=flow class=high own=high dev=nic0 vni=100)" 40
equal "each is taken out of its batch" "$(told prism_deliver: to=stack way=sync)" 40
equal "each is received by the tunnel's device" "$(told prism_deliver: to=tunnel way=sync dev=vx100)" 40
equal "each is received by the container's device" "$(told prism_deliver: to=container way=sync dev=eth0)" 40
refreshed=${delta[kernel_refresh]}
equal "what the driver decapsulates is told" "$(told prism_fallback: stage=tunnel reason=kernel_refresh)" "$refreshed"
equal "one after the other, of one flow" "$(stages 5001 | grep -v kernel_refresh)" \
	"1 flow
$((40 - refreshed)) high stack/sync tunnel/sync container/sync"
matches "with addresses and ports" "$(grep -m 1 prism_deliver "$trace")" \
	"vni=100 protocol=17 source=$remote_ip:[0-9]+ destination=$c1_ip:5001 to="
watch udp6 --count 20
matches "and those of IPv6" "$(grep -m 1 'to=container' "$trace")" \
	"vni=100 protocol=17 source=\[$remote_ip6\]:[0-9]+ destination=\[$c1_ip6\]:5001 to="
equal "as often" "$(told prism_deliver: to=container way=sync)" 20

watch udp4 --count 20 --port 5002
equal "what no rule names is told" "$(told prism_classify: protocol=17 rule= class=normal)" 20
equal "and goes the kernel's way" "$(stages 5002)" "1 flow
20 normal"

# Other ways.
watch change_modes
at_least "the first after a change are held back" "${delta[held]}" 1
equal "which is told" "$(told prism_deliver: to=gate)" "${delta[held]}"
mode batch
watch udp4 --count 30
equal "mode batch" "$(stages 5001 | grep -v kernel_refresh | cut -d' ' -f2-)" \
	"flow
high batch/batch stack/batch tunnel/batch container/batch"
equal "mode batch: all packets" "$(told prism_deliver: to=container way=batch)" 30
mode express
udp4 --count 3
watch udp4 --count 30
if kept_long; then
	equal "mode express: none goes the short way" "$(told prism_fallback: stage=entry "reason=$REPLY")" 30
else
	equal "mode express" "$(told prism_deliver: to=container way=express)" "${delta[expressed]}"
	at_least "mode express: most packets" "${delta[expressed]}" 25
	equal "mode express: the others show the way" "$(told prism_fallback: stage=entry reason=express_learn)" "${delta[express_learn]}"
fi
mode sync
isolate 1
watch udp4 --count 20 --port 5002
equal "with isolation what waits is told" "$(stages 5002)" "1 flow
20 normal queue/kernel stack/kernel"
isolate 0

# Why a packet is handed back.
watch udp4 --count 20 --tap :c1h
equal "a packet socket" "$(told prism_fallback: stage=container reason=kernel_tap) ${delta[kernel_tap]}" "20 20"
equal "is the last that is told of a packet" "$(stages 5001 | grep -v kernel_refresh | cut -d' ' -f2-)" \
	"flow
high stack/sync tunnel/sync fallback:kernel_tap"
watch udp4 --count 4 --window 2 --sizes 4000
equal "fragments" "$(told prism_fallback: stage=entry reason=unclassified_fragment)" "${delta[unclassified_fragment]}"
at_least "there are some" "${delta[unclassified_fragment]}" 8
tc qdisc add dev c1h root fq_codel
watch udp4 --count 10
tc qdisc del dev c1h root
equal "a qdisc" "$(told prism_fallback: stage=container reason=kernel_qdisc) ${delta[kernel_qdisc]}" "10 10"
rule kept vni=100 protocol=tcp destination_port=5004 gro=keep
ethtool -K c1h tso off gso off
watch wire tcp --from remote --to c1 --destination "$c1_ip" --port 5004 --up 400 --down 0
ethtool -K c1h tso on gso on
at_least "what is to be segmented" "${delta[kernel_gso]}" 1
equal "is told" "$(told prism_fallback: stage=container reason=kernel_gso)" "${delta[kernel_gso]}"
equal "as is what GRO has first" "$(told prism_deliver: to=gro)" "${delta[kept]}"

# Whom filters let through.
IFS=. read -r -a octets <<<"$c1_ip"
printf -v address '0xffff%02x%02x%02x%02x' "${octets[@]}"
only="if destination_port == 5001 && vni == 100 && destination_lo == $address"
trace_on "prism:prism_classify $only" "prism:prism_deliver $only"
udp4 --count 10
udp4 --count 10 --port 5002
trace_off
equal "a filter finds a flow" "$(told prism_classify:) $(told prism_classify: rule=flow)" "10 10"
echo 1 >"$trace_dir/tracing_on"

# Beyond its rate.
remove_rules
high flow vni=100 protocol=udp destination_port=5001 rate=50
watch udp4 --count 120 --window 8
arrived "beyond the rate"
at_least "some exceed it" "${delta[demoted]}" 10
equal "each that does is told" "$(told prism_demote: reason=demoted limit=50) $(told prism_classify: class=normal own=high)" \
	"${delta[demoted]} ${delta[demoted]}"
equal "and each that waits behind" "$(told prism_demote: reason=displaced limit=0)" "${delta[displaced]}"
remove_rules
trace_remove
clean

# Dropped, from the NIC of the measurements.
sim_load
sim_up
echo "$sim_ip 5003" >"$sim"/sinks
rule bulk vni=none protocol=udp destination_port=5003 class=bulk
mode sync
isolate 1
knob limit 32
echo "much rate=2000 burst=200 destination_port=5003 source=$sim_peer_ip destination=$sim_ip" >"$sim"/flows
watch sim_traffic 200
at_least "much is dropped" "${delta[dropped_bulk]}" 100
equal "each of these is told" "$(told prism_drop: reason=dropped_bulk vni=-1)" "${delta[dropped_bulk]}"
equal "and each that waits" "$(told prism_deliver: to=queue)" "${delta[served]}"

# Beyond its share.
high share vni=none protocol=udp destination_port=5001
knob limit 1000
knob high_share 50
echo "$sim_ip 5001" >"$sim"/sinks
echo none >"$sim"/flows
for flow in high:300000:5001 much:100000:5003; do
	IFS=: read -r name rate port <<<"$flow"
	echo "$name rate=$rate destination_port=$port source=$sim_peer_ip destination=$sim_ip" >"$sim"/flows
done
counters
trace_on prism:prism_demote
sim_traffic 100
trace_off
counted
at_least "class high exceeds its share" "${delta[capped]}" 1
at_least "and others would overtake these" "${delta[displaced]}" 1
equal "each is told" "$(told prism_demote: reason=capped limit=50) $(told prism_demote: reason=displaced limit=0)" \
	"${delta[capped]} ${delta[displaced]}"
trace_remove
restore_knobs
isolate 0
sim_down

# The module goes while somebody looks.
clean
trace_on prism:prism_classify prism:prism_drop
check "it unloads with its tracepoints on" rmmod prism
insmod "$SELFTESTS"/../prism.ko
equal "and they are off then" "$(<"$events"/prism_classify/enable)" 0
trace_remove
finish
