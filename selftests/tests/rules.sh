#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Rules: which one counts, what they count, many of them, rates, and rules that
# come and go under traffic.

. "${0%/*}/../lib.sh"
trap ended_early EXIT

packets() { cat "$RULES/$1/packets"; }

# is_completed DESCRIPTION COUNT ARG...: of 10 packets, so many run to completion.
is_completed() {
	local what=$1 count=$2
	shift 2

	counters
	udp4 --count 10 "$@"
	counted
	moved
	equal "$what" "${got[received]-} ${delta[completed]}" "10 $count" "$REPLY"
}

underlay
overlay_bridge
mode sync
udp4 --count 5

# Each field makes a rule match, and keeps it from matching.
# field DESCRIPTION MATCHING OTHER
field() {
	high one vni=100 protocol=udp "$2"
	is_completed "$1: $2 matches" 10 --tos 184
	rmdir "$RULES"/one
	high one vni=100 protocol=udp "$3"
	is_completed "$1: $3 does not match" 0 --tos 184
	rmdir "$RULES"/one
}
field "port" destination_port=5001 destination_port=5002
field "range of ports" destination_port=5000-5002 destination_port=5002-6000
field "source port" source_port=40000 source_port=40001
field "prefix" "destination=${c1_ip%.*}.0/28" "destination=${c1_ip%.*}.16/28"
field "source" "source=$remote_ip" "source=$c1_ip/32"
field "DSCP" dscp=ef dscp=0
field "VNI" vni=100 vni=101
field "protocol" protocol=17 protocol=tcp

# The most specific of several rules counts.
high wide vni=100 protocol=udp
rule narrow vni=100 protocol=udp destination_port=5001 class=normal
is_completed "a narrow rule of class normal wins over a wide one of class high" 0
equal "the narrow one counts" "$(packets narrow) $(packets wide)" "10 0"
is_completed "the wide one is for the rest" 10 --port 5003
equal "the wide one counts" "$(packets narrow) $(packets wide)" "10 10"
equal "bytes are those of the packets that arrived" "$(cat "$RULES"/wide/bytes)" \
	$((10 * (20 + 8 + 8 + 14 + 20 + 8 + 64)))
echo 0 >"$RULES"/narrow/enabled
is_completed "without the narrow one the wide one is for all" 10
rmdir "$RULES"/wide "$RULES"/narrow

# Only class high runs to completion.
for class in interactive normal bulk; do
	rule one vni=100 protocol=udp destination_port=5001 class=$class
	is_completed "class $class keeps its place" 0
	equal "class $class is classified" "${delta[classified]}" 10
	rmdir "$RULES"/one
done

# What exceeds the rate loses its class, and nothing else: it waits.
high slow vni=100 protocol=udp destination_port=5001 rate=100
counters
udp4 --count 300
counted
equal "all packets arrive, whatever the rate" "${got[lost]-} ${got[corrupt]-} ${got[duplicate]-}" "0 0 0" "$report"
equal "each packet is classified" "${delta[classified]}" 300
at_once=$((delta[completed] - delta[accelerated]))
equal "it runs to completion at once, is demoted, or waits behind such a packet" \
	"$((at_once + delta[demoted] + delta[displaced]))" 300
at_least "packets above the rate are demoted" "${delta[demoted]}" 1
at_most "no more run to completion at once than the rate and a burst of 16 allow" \
	"$at_once" $((16 + ${got[ms]-0} / 10 + 2))

# Another rate counts from where it is set: tokens of the old one are seconds ahead.
echo 0 >"$RULES"/slow/enabled
echo 1 >"$RULES"/slow/rate
echo 1 >"$RULES"/slow/enabled
counters
udp4 --count 40
counted
at_least "a rule of a packet a second demotes what comes behind its burst" "${delta[demoted]}" 1
echo 0 >"$RULES"/slow/enabled
echo 1000000 >"$RULES"/slow/rate
echo 1 >"$RULES"/slow/enabled
pause 0.05
counters
udp4 --count 10
counted
equal "and nothing of it with a rate that is not exceeded" "${delta[classified]} ${delta[demoted]}" "10 0"
rmdir "$RULES"/slow

# Many rules of a shape.
scale 10000 512
many=$REPLY
wire rules add --count "$many" vni=100 protocol=udp "destination=$c1_ip" 'destination_port={port}' class=high enabled=1
equal "$many rules are enabled" "${got[done]-}" "$many" "$report"
note "$report"
for n in 0 1 $((many / 2)) $((many - 1)); do
	is_completed "rule $n of $many" 10 --port $((20000 + n))
	equal "rule $n counts its packets" "$(packets many$n)" 10
done
is_completed "none of them is for another port" 0 --port $((20000 + many))

# Beside many rules, one that comes or goes is kept in another way for a while.
high wide vni=100 protocol=udp
is_completed "a wide rule beside them is in force at once" 10 --port 5003
echo 0 >"$RULES"/many1/enabled
is_completed "packets of a rule that is withdrawn meet the wide one" 10 --port 20001
equal "the wide one counts them, and not the other" "$(packets wide) $(packets many1)" "20 10"
sleep 0.5
is_completed "and later, too" 10 --port 20001
rmdir "$RULES"/wide
is_completed "without the wide one they meet none" 0 --port 20001

# Of two rules for a flow, one at least is in force at any time.
scale 300 50
flips=$REPLY
high first vni=100 protocol=udp destination_port=5001
high second vni=100 protocol=udp destination_port=5001
counters
background flow udp --from remote --to c1 --source "$remote_ip" --destination "$c1_ip" --count 0 --rate 4000
for ((n = 0; n < flips; n++)); do
	for name in first second; do
		echo 0 >"$RULES"/$name/enabled
		echo 1 >"$RULES"/$name/enabled
	done
done
ended flow
counted
at_least "much was received" "${got[received]-0}" 100
equal "each packet met one of two rules that were withdrawn $flips times in turn" \
	"${delta[classified]}" "${got[received]-none}"
equal "these are the packets that the two count" \
	$(($(packets first) + $(packets second))) "${delta[classified]}"
rmdir "$RULES"/first "$RULES"/second
wire rules remove --count "$many"
equal "$many rules are removed" "${got[done]-}" "$many"

# A rule that appears and disappears under traffic.
scale 1000 150
flips=$REPLY
background flow udp --from remote --to c1 --source "$remote_ip" --destination "$c1_ip" --count 0 --rate 4000
counters
wire rules flip --count "$flips" --name flip vni=100 protocol=udp destination_port=5001 class=high enabled=1
equal "a rule appeared and disappeared $flips times" "${got[done]-}" "$flips" "$report"
note "$report"
# Ten times it is there for longer than its packets are held back.
[ -n "$RT_KERNEL" ] && stay=400 || stay=40
wire rules flip --count 10 --stay "$stay" --name flip vni=100 protocol=udp destination_port=5001 class=high enabled=1
ended flow
counted
equal "no packet is lost meanwhile" "${got[lost]-} ${got[duplicate]-} ${got[corrupt]-}" "0 0 0" "$report"
at_least "much was received" "${got[received]-0}" 500
at_least "some ran to completion" "${delta[completed]}" 20
at_least "some had no rule" $((${got[received]-0} - delta[completed])) 20
finish
