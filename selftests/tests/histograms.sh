#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Histograms of how long packets take: each packet is in one, of its class, while they are
# on, and none is while they are off.

. "${0%/*}/../lib.sh"
trap ended_early EXIT

dir=/sys/kernel/debug/prism/latency

# Their counts are those of this test alone.
rmmod prism
insmod "$SELFTESTS"/../prism.ko

# measured FILE CLASS: how many packets of the class are there.
measured() { awk -v class="$2" '$1 == class { sum += $4 } END { print sum + 0 }' "$dir/$1"; }

# measures DESCRIPTION FILE CLASS COUNT: so many more since the last time.
declare -A seen
measures() {
	local now

	now=$(measured "$2" "$3")
	equal "$1" "$((now - ${seen[$2 $3]:-0}))" "$4" "$(<"$dir/$2")"
	seen[$2 $3]=$now
}

# measures_rule DESCRIPTION FILE RULE COUNT: so many more of the rule.
measures_rule() { measures "$1" "$2_by_rule" "$3" "$4"; }

is_whole() { [ "$(measured waited normal)" = "$(<"$PRISM"/stats/deferred_normal)" ]; }

# all_that_waited DESCRIPTION: each packet that waited is measured, whose ever it was; others may come between
# two looks.
all_that_waited() {
	if wait_for 5 is_whole; then
		pass "$1"
	else
		fail "$1" "$(<"$PRISM"/stats/deferred_normal)" "$(<$dir/waited)"
	fi
	seen["waited normal"]=$(measured waited normal)
}

# Of the flow counts what is sent, and not what is sent to make addresses known.
send() {
	counters
	udp4 "$@"
	counted
}

to_host() {
	counters
	wire udp --from remote --source "$peer_ip" --destination "$host_ip" "$@"
	counted
}

underlay
overlay_bridge
high flow vni=100 protocol=udp destination_port=5001
high host vni=none protocol=udp "destination=$host_ip" destination_port=5001
mode sync
udp4 --count 5
to_host --count 5

equal "they are off" "$(<$dir/enable)" 0
equal "and empty" "$(cat $dir/delivered $dir/waited $dir/*_by_rule)" ""
for value in 2 maybe -1 "1 1" "$(printf '1%.0s' {1..40})" on1; do
	equal "enable does not take '$value'" "$(errno write $dir/enable "$value")" EINVAL
	equal "and stays" "$(<$dir/enable)" 0
done

echo 1 >$dir/enable
equal "they are on" "$(<$dir/enable)" 1
echo 1 >$dir/enable
send --count 50
measures "each packet is measured" delivered high 50
measures_rule "and with its rule" delivered flow 50
equal "in the same buckets" "$(cut -d ' ' -f 2- $dir/delivered_by_rule)" "$(cut -d ' ' -f 2- $dir/delivered)"
equal "buckets do not overlap" "$(awk '$2 >= $3 || $1 == last && $2 < end { print }
	{ last = $1; end = $3 }' $dir/delivered)" ""
equal "it takes some time, and less than a second" \
	"$(awk '$2 < 256 || $3 > 1000000000' $dir/delivered)" ""
to_host --count 20
measures "each packet to the host is, too" delivered high 20
measures_rule "with the other rule" delivered host 20
measures_rule "and not with the first" delivered flow 0
send --count 20 --port 5002
measures "what no rule names is not" delivered normal 0

# As to a published port: the host forwards it to a container.
in_ns '' <<-END
	netns add c9
	link add c9h type veth peer name eth0 netns c9
	address add 10.9.0.1/24 dev c9h
	link set c9h up
END
in_ns c9 <<-END
	address add 10.9.0.2/24 dev eth0
	link set eth0 up
	route add default via 10.9.0.1
END
in_ns remote <<<"route add 10.9.0.0/24 via $host_ip"
echo 1 >/proc/sys/net/ipv4/ip_forward
high forwarded vni=none protocol=udp destination=10.9.0.2 destination_port=5001
# forward ARG...
forward() { wire udp --from remote --to c9 --source "$peer_ip" --destination 10.9.0.2 "$@"; }
for mode in batch sync; do
	mode $mode
	forward --count 3
	seen["delivered high"]=$(measured delivered high)
	counters
	forward --count 20
	counted
	measures "what the host forwards is measured once, mode $mode" delivered high 20
	measures_rule "with its rule, which came meanwhile" delivered forwarded $((20 + 3))
	equal "it is delivered" "${delta[delivered]}" 20
done
rmdir "$RULES"/forwarded
measures_rule "a rule that is gone is not there" delivered forwarded -46
send --count 20 --tap :c1h
measures "what is left to the kernel is not" delivered high 0
equal "as was this" "${delta[kernel_tap]}" 20

mode batch
send --count 5
seen["delivered high"]=$(measured delivered high)
seen["delivered_by_rule flow"]=$(measured delivered_by_rule flow)
send --count 30
measures "mode batch" delivered high 30
measures_rule "with the rule" delivered flow 30
to_host --count 20
measures "mode batch, to the host" delivered high 20
mode express
send --count 30
measures "mode express" delivered high 30
measures_rule "with the rule" delivered flow 30
mode sync

# What waits.
isolate 1
send --count 40 --port 5002
all_that_waited "what waited is measured"
at_least "that is the flow" "${delta[deferred_normal]}" 40
measures "not as delivered" delivered normal 0
knob accelerate normal
send --count 40 --port 5002
all_that_waited "what is accelerated then waits"
measures "and is delivered" delivered normal 40
rule patient vni=100 protocol=udp destination_port=5002 class=normal
send --count 40 --port 5002
all_that_waited "what a rule names waits, too"
measures "and is delivered" delivered normal 40
measures_rule "the rule has waited" waited patient 40
measures_rule "and is delivered" delivered patient 40
echo 0 >"$RULES"/patient/enabled
equal "a rule that is disabled is not there" "$(measured waited_by_rule patient)" 0
echo 1 >"$RULES"/patient/enabled
send --count 40 --port 5002
measures_rule "and goes on when it is enabled" waited patient 40
seen["delivered normal"]=$(measured delivered normal)
rmdir "$RULES"/patient
send --count 30
measures "class high does not wait" waited high 0
measures "and is delivered at once" delivered high 30
restore_knobs
isolate 0

# Kept by GRO: what is merged is several packets.
rule kept vni=100 protocol=tcp destination_port=5004 gro=keep
before_kept=$(measured delivered high)
counters
wire tcp --from remote --to c1 --destination "$c1_ip" --port 5004 --up 400 --down 0
counted
at_least "packets are left to GRO" "${delta[kept]}" 50
at_most "what is merged is not measured" "$(($(measured delivered high) - before_kept))" \
	"$((delta[classified] - delta[kept]))"
rmdir "$RULES"/kept

echo 0 >$dir/enable
equal "they are off again" "$(<$dir/enable)" 0
before_off=$(cat $dir/delivered $dir/waited)
send --count 20
equal "and nothing is measured" "$(cat $dir/delivered $dir/waited)" "$before_off"

# With tracepoints on, and times off or on.
trace_on prism:prism_deliver
send --count 20
equal "nor is anything for tracepoints" "$(cat $dir/delivered $dir/waited)" "$before_off"
echo y >$dir/enable
seen["delivered high"]=$(measured delivered high)
trace_off
trace_remove
send --count 20
measures "tracepoints come and go" delivered high 20
equal "others do not read them" "$(setpriv --reuid 65534 --clear-groups cat $dir/delivered $dir/delivered_by_rule 2>/dev/null)" ""

# The module goes while they are on.
clean
rmmod prism
insmod "$SELFTESTS"/../prism.ko
equal "with the module they are off" "$(<$dir/enable) $(cat $dir/delivered)" "0 "
finish
