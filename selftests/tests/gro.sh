#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Class high and GRO: segments that come full-sized and back to back are merged and
# still wait in no queue, others run to completion one by one.

. "${0%/*}/../lib.sh"
trap ended_early EXIT

# gro VALUE: of the rule for the connection.
gro() {
	echo 0 >"$RULES"/tcp/enabled
	echo "$1" >"$RULES"/tcp/gro
	echo 1 >"$RULES"/tcp/enabled
}

# transfer SEGMENTS DESCRIPTION: bursts of so many segments come for half a second.
# In `merged`, how many packets longer than any frame the container received, in
# `queued`, how many waited in a queue on the way.
transfer() {
	echo none >"$sim"/sinks
	sim_sink c1 "$c1_ip 5004 tcp $peer 40000 1000"
	echo none >"$sim"/flows
	echo "data protocol=tcp rate=$((20 * $1)) burst=$1 size=1000 destination_port=5004 $tunnel" >"$sim"/flows
	counters
	trace_on net:netif_rx net:netif_receive_skb net:napi_gro_receive_entry
	sim_traffic 500
	trace_off
	counted
	read -r sent received _ <<<"$(sim_flow data)"
	equal "$2: all data is received" "$received of $sent" "$sent of $sent"
	merged=$(traced 'netif_receive_skb:' eth0 2000)
	queued=$(($(traced 'netif_rx:' eth0 1000) + $(traced 'napi_gro_receive_entry:' vx100 1000)))
}

# traced EVENT DEVICE LENGTH: how many at least so long packets.
traced() {
	awk -v event="$1" -v dev="dev=$2" -v least="$3" '
		index($0, event) && index($0, dev " ") && match($0, /len=[0-9]+/) &&
			substr($0, RSTART + 4, RLENGTH - 4) + 0 >= least { n++ }
		END { print n + 0 }' "$trace_dir"/trace
}

underlay
overlay_bridge
high tcp vni=100 protocol=tcp destination_port=5004
udp4 --count 3
equal "a new rule decides by what comes" "$(<"$RULES"/tcp/gro)" auto
equal "another value is refused" "$(errno write "$RULES"/tcp/gro sometimes)" EBUSY
gro bypass
echo 0 >"$RULES"/tcp/enabled
equal "another value is refused of a disabled rule" "$(errno write "$RULES"/tcp/gro sometimes)" EINVAL

sim_load
sim_up
# Nobody is there, who would know nothing of the connection.
peer=10.100.0.99 peer_mac=02:00:00:00:00:99
in_ns c1 <<<"neighbor add $peer lladdr $peer_mac dev eth0"
tunnel="vni=100 source=$peer destination=$c1_ip source_mac=$peer_mac destination_mac=02:00:00:00:00:11 outer_source=$sim_peer_ip outer_destination=$sim_ip"

for mode in sync express batch; do
	mode $mode
	gro bypass
	transfer 20 "mode $mode, bypass"
	equal "mode $mode, bypass: nothing is merged" "$merged ${delta[kept]}" "0 0"
	equal "mode $mode, bypass: each runs to completion" "${delta[completed]}" "$sent"
	gro keep
	transfer 20 "mode $mode, keep"
	at_least "mode $mode, keep: packets are merged" "$merged" 2
	# What is held back as the rule has changed is past GRO; one in a second goes alone.
	equal "mode $mode, keep: each is one or the other" $((delta[kept] + delta[completed])) "$sent"
	at_least "mode $mode, keep: most are kept" "${delta[kept]}" $((sent / 2))
	equal "mode $mode, keep: nothing waits in a queue" "$queued" 0
	# A flow does not leave its batch for GRO, and has none left when the next comes.
	[ $mode != batch ] || continue
	gro auto
	transfer 20 "mode $mode, auto"
	at_least "mode $mode, auto: much data is merged" "$merged" 2
	at_least "mode $mode, auto: not at first" "${delta[completed]}" 7
	equal "mode $mode, auto: each is one or the other" $((delta[kept] + delta[completed])) "$sent"
	equal "mode $mode, auto: nothing waits in a queue" "$queued" 0
	transfer 4 "mode $mode, auto, little data"
	at_most "mode $mode, auto: little data is hardly merged" "$merged" $((sent / 4))
	# Where two bursts come at once, they are a train of eight.
	at_least "mode $mode, auto: little data runs to completion" "${delta[completed]}" $((sent / 2))
done
sim_down

# While it changes, nothing is overtaken: the receiver would have to sort it. Where a
# segment was lost it has to, too, which proves nothing, so that is tried again.
tcp_count() { ip netns exec "$1" nstat -asz "$2" | awk -v name="$2" '$1 == name { print $2 }'; }
sorted() { tcp_count c1 TcpExtTCPOFOQueue; }
resent() { tcp_count remote TcpRetransSegs; }
mode sync
for ((try = 0; try < 3; try++)); do
	before=$(sorted) before_resent=$(resent)
	background tcp tcp --from remote --to c1 --destination "$c1_ip" --port 5004 --endless
	for ((i = 0; i < 12; i++)); do
		case $((i % 3)) in
		0) gro keep ;;
		1) gro bypass ;;
		2) gro auto ;;
		esac
		pause 0.1
	done
	equal "TCP goes on while the rule changes" "$(running tcp && echo yes)" yes
	ended tcp
	equal "TCP is intact" "${got[lost]-}" 0 "$report"
	overtaken=$(($(sorted) - before)) resent=$(($(resent) - before_resent))
	note "sorted $overtaken, sent again $resent"
	if [ "$overtaken" = 0 ] || [ "$resent" = 0 ]; then
		break
	fi
done
equal "it comes in order" "$overtaken" 0
finish
