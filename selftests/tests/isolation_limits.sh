#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Isolation under more than can be served, from the NIC of the measurements: what
# is dropped, of which class, and where it is counted.

. "${0%/*}/../lib.sh"
trap ended_early EXIT

trace=$trace_dir/trace
from="source=$sim_peer_ip destination=$sim_ip"

start() {
	sim_up
	echo "$sim_ip 5001" >"$sim"/sinks
	echo "$sim_ip 5002" >"$sim"/sinks
	echo "$sim_ip 5003" >"$sim"/sinks
}

# rules_count_drops DESCRIPTION: each rule has counted what was dropped of its class, in all.
rules_count_drops() {
	local class counts='' drops=''

	for class in high interactive bulk; do
		counts+=" $(<"$RULES"/$class/dropped)"
		drops+=" $(($(<"$PRISM"/stats/dropped_$class) - ${drops_at_start[$class]}))"
	done
	equal "$1" "$counts" "$drops"
}

sim_load
start
declare -A drops_at_start
for class in high interactive bulk; do
	drops_at_start[$class]=$(<"$PRISM"/stats/dropped_$class)
done
for class in high:5001 interactive:5002 bulk:5003; do
	rule ${class%:*} vni=none protocol=udp destination_port=${class#*:} class=${class%:*}
done
mode sync
isolate 1

# Of a burst, what exceeds the limit is dropped: of the lowest class.
knob limit 32
knob recent_us 10000000
knob quantum 1
# A slow kernel is given less.
scale 10 1
n=$REPLY
echo "high rate=$((n * 50)) burst=5 destination_port=5001 $from" >"$sim"/flows
echo "some rate=$((n * 50)) burst=5 destination_port=5002 $from" >"$sim"/flows
echo "much rate=$((n * 2000)) burst=200 destination_port=5003 $from" >"$sim"/flows
read -r before_dropped </sys/class/net/sim0/statistics/rx_dropped
counters
trace_on skb:kfree_skb
sim_traffic 200
trace_off
counted
reasons=$(grep -c 'reason: CPU_BACKLOG' "$trace")
trace_remove
read -r dropped </sys/class/net/sim0/statistics/rx_dropped
dropped=$((dropped - before_dropped))
# The NIC's ring runs over where the guest's processor was not there for a while.
read -r sent received ring <<<"$(sim_flow high)"
equal "of class high nothing is dropped" "$((received + ring))" "$sent"
note "of class high the ring lost $ring"
read -r sent received ring <<<"$(sim_flow some)"
equal "of class interactive nothing is dropped" "$((received + ring)) ${delta[dropped_interactive]}" "$sent 0"
read -r sent received ring <<<"$(sim_flow much)"
at_least "of class bulk much is dropped" "${delta[dropped_bulk]}" 100
equal "of class bulk each packet is received or counted" "$((received + ring + delta[dropped_bulk]))" "$sent"
equal "the device counts what is dropped" "$dropped" "${delta[dropped_bulk]}"
equal "it is dropped with a reason" "$reasons" "${delta[dropped_bulk]}"
check "what waited was served or dropped" wait_for 5 reconciles
rules_count_drops "the rule counts what is dropped"
at_least "that is much" "$(<"$RULES"/bulk/dropped)" 100

# Of more flows than a CPU knows.
echo none >"$sim"/flows
echo "many rate=$((n * 2000)) burst=200 ports=2000 destination_port=5003 $from" >"$sim"/flows
counters
sim_traffic 200
counted
at_least "much is dropped of many flows" "${delta[dropped_bulk]}" 100
rules_count_drops "the rule counts that, too"

# What waits for its batch has the same limit.
mode batch
knob limit 16
echo none >"$sim"/flows
echo "high rate=$((n * 640)) burst=64 destination_port=5001 $from" >"$sim"/flows
counters
sim_traffic 500
counted
at_least "a batch has no more than the limit" "${delta[dropped_high]}" 20
rules_count_drops "the rule counts what is dropped of class high"
mode sync
knob limit 1000

# The limit in bytes.
knob limit_bytes 65536
echo none >"$sim"/flows
echo "much rate=40000 burst=400 size=1400 destination_port=5003 $from" >"$sim"/flows
counters
sim_traffic 60
counted
read -r sent received ring <<<"$(sim_flow much)"
at_least "what exceeds the limit in bytes is dropped" "${delta[dropped_bulk]}" 100
equal "each packet is received or counted" "$((received + ring + delta[dropped_bulk]))" "$sent"

# It holds where long packets of a higher class come behind many short ones.
echo none >"$sim"/flows
echo "much rate=$((n * 10000)) size=64 destination_port=5003 $from" >"$sim"/flows
echo "some rate=3000 burst=300 size=1400 destination_port=5002 $from" >"$sim"/flows
counters
sim_traffic 450
counted
read -r sent received ring <<<"$(sim_flow some)"
note "of $((sent - ring)) of class interactive ${delta[dropped_interactive]} are dropped, of class bulk ${delta[dropped_bulk]}"
at_least "long packets in place of short ones exceed it, too" "${delta[dropped_interactive]}" $(((sent - ring) / 4))
check "what waited was served or dropped" wait_for 5 reconciles
rules_count_drops "the rules count what makes room and what finds none"
knob limit_bytes 4194304

# Class high has its share, and no more while others wait.
knob high_share 50
echo none >"$sim"/flows
echo "high rate=300000 destination_port=5001 $from" >"$sim"/flows
echo "much rate=100000 destination_port=5003 $from" >"$sim"/flows
counters
sim_traffic 300
counted
at_least "class high is capped" "${delta[capped]}" 1
at_least "what exceeds its share waits" "$((delta[capped] + delta[displaced]))" 100
at_most "class high has no more than its share" \
	"$((delta[completed] - delta[accelerated]))" $((delta[served] + 200))
read -r sent received ring <<<"$(sim_flow much)"
at_least "bulk goes on" "$received" 20
knob high_share 90

# A turn is of one packet while few wait, and of the quantum otherwise.
# turns: how many packets the largest had.
turns() {
	awk '/napi_poll:/ && /device prism_isolate / { for (i = 1; i < NF; i++) if ($i == "work") n = $(i + 1) > n ? $(i + 1) : n }
		END { print n + 0 }' "$trace"
}
knob quantum 8
for burst in 12 300; do
	echo none >"$sim"/flows
	echo "high rate=200 destination_port=5001 $from" >"$sim"/flows
	echo "much rate=$((burst * 10)) burst=$burst destination_port=5003 $from" >"$sim"/flows
	trace_on napi:napi_poll
	sim_traffic 300
	trace_off
	case $burst in
	12) equal "a turn is of one packet while few wait" "$(turns)" 1 ;;
	*) equal "a turn is of the quantum while many wait" "$(turns)" 8 ;;
	esac
done
trace_remove

# floods HIGH: so many packets of class high a second come, and more of class bulk than can be served.
floods() {
	echo none >"$sim"/flows
	echo "high rate=$1 destination_port=5001 $from" >"$sim"/flows
	echo "much rate=200000 destination_port=5003 $from" >"$sim"/flows
	echo 500 >"$sim"/duration_ms
	echo 1 >"$sim"/running
	pause 0.1
}

# The NIC goes while packets wait: with class high there, one is served in a turn.
knob limit 100000
knob quantum 1
counters
trace_on prism:prism_drop
for ((i = 0; i < 3; i++)); do
	floods 200
	rmdir "$sim"
	check "what waited is served or counted when the NIC goes" wait_for 5 reconciles
	start
done
trace_off
counted
at_least "some are dropped with the NIC" "${delta[purged]}" 1
at_least "which is told" "$(grep -c "prism_drop:.* reason=purged$" "$trace")" 1
trace_remove

# So does one that is chosen no more. All has been served by then now and then.
counters
for ((i = 0; i < 3 || i < 20 && $(<"$PRISM"/stats/purged) == before[purged]; i++)); do
	floods 200
	echo lo >"$PRISM"/devices
	rmdir "$sim"
	check "what waited is served or counted when a NIC goes that was chosen before" wait_for 5 reconciles
	echo auto >"$PRISM"/devices
	start
done
counted
at_least "some are dropped with it" "${delta[purged]}" 1

# What is held goes with its NIC, and nothing that is held later is late for that. Something is held
# while rules change, for a moment.
change_rules() {
	while echo 0 >"$RULES"/interactive/enabled; do
		echo 1 >"$RULES"/interactive/enabled
	done
}
counters
for ((i = 0; i < 5; i++)); do
	floods 2000
	change_rules &
	changer=$!
	pause 0.05
	rmdir "$sim"
	kill $changer
	wait $changer
	check "what is held is let through or counted when the NIC goes" wait_for 5 reconciles
	echo 1 >"$RULES"/interactive/enabled
	start
done
counted
if [ "${delta[dropped_held]}" != 0 ]; then
	pass "some that are held are dropped with it"
else
	skip "some that are held are dropped with it" "the gate opened before"
fi
pause 11
echo "high rate=2000 destination_port=5001 $from" >"$sim"/flows
echo 0 >"$RULES"/interactive/enabled
sim_traffic 100
equal "the module is not broken" "$(<"$PRISM"/broken) $(<"$PRISM"/mode)" "none sync"

# What exceeds its rate waits without isolation, too, and keeps nobody.
isolate 0
rule excess vni=none protocol=udp destination_port=5004 rate=100 class=high
echo "much rate=200000 destination_port=5004 $from" >"$sim"/flows
echo 10000 >"$sim"/duration_ms
counters
echo 1 >"$sim"/running
pause 0.3
rule other vni=7 class=high
equal "a rule is enabled while there always is some" "$(<"$sim"/running)" 1
counted
at_least "it exceeds its rate" "${delta[demoted]}" 100
restore_knobs
sim_down
finish
