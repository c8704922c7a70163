#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# How much of the kernel's stack a packet takes that runs to completion, and what is
# left. The NIC's NAPI instance polls in a thread, whose stack begins at a known place,
# and probes at the ends of the longest ways tell how far it reaches.

. "${0%/*}/../lib.sh"
trap ended_early EXIT

events=/sys/kernel/tracing/kprobe_events
[ -e $events ] || skip_all "this kernel has no kprobe events"

# A stack is so large, twice that with KASAN, and begins at a multiple of that. What
# interrupts the thread has another one; the loop of the thread tells which it is.
size=16384
! zgrep -qs '^CONFIG_KASAN=y' /proc/config.gz || size=32768

# Where ways end: a reply is in the queue to the host's end, a receiver is woken, a hook
# of netfilter is asked, memory is had, a route is looked up.
probes=()
for function in napi_threaded_poll_loop enqueue_to_backlog try_to_wake_up nf_hook_slow nf_conntrack_in kmem_cache_alloc_node_noprof \
	fib_table_lookup fib6_lookup __netif_receive_skb_core tcp_ack udp_queue_rcv_one_skb veth_xmit; do
	if echo "p:prism_stack/$function $function sp=%sp" >>$events 2>/dev/null; then
		probes+=("prism_stack:$function")
	fi
done
at_least "ends of ways are probed" ${#probes[@]} 6

# deepest: how many bytes the thread's stack had at most at any of them, and where, in
# `depth` and `place`.
deepest() {
	read -r depth place < <(awk -v size=$size '
		function number(hex,    i, n) {
			for (i = 1; i <= length(hex); i++) n = n * 16 + index("0123456789abcdef", substr(hex, i, 1)) - 1
			return n
		}
		/napi\/nic0/ && match($0, /sp=0x[0-9a-f]+/) {
			low = number(substr($0, RSTART + RLENGTH - 4, 4))
			stack = substr($0, RSTART, RLENGTH - 4) int(low / size)
			if (index($0, " napi_threaded_poll_loop:")) own = stack
			depth = size - low % size
			if (stack == own && depth > most) {
				most = depth
				split(substr($0, index($0, ": ") + 2), words, ":")
				place = words[1]
			}
		}
		END { print most + 0, place }' "$trace_dir"/trace)
}

# measure MODE DESCRIPTION FUNCTION ARG...
measure() {
	local mode=$1 what=$2
	shift 2

	mode "$mode"
	trace_on "${probes[@]}"
	"$@"
	trace_off
	deepest
	at_least "$what, mode $mode: the thread was seen" "$depth" 200
	note "$what, mode $mode: $depth of $size bytes, at $place"
	[ "$depth" -le "$most" ] || most=$depth
}

tcp() { wire tcp --from remote --to c1 --destination "$1" --port 5004 --up "$amount" --down "$amount"; }

most=0
scale 300 60
amount=$REPLY
underlay threaded
overlay_bridge 100 4789 6
high all vni=100
udp4 --count 3
udp6 --count 3
tcp "$c1_ip" >/dev/null
for mode in off sync express batch; do
	measure $mode "UDP over IPv6" udp6 --count 30 --sizes 1000
	measure $mode "TCP over IPv4" tcp "$c1_ip"
	measure $mode "TCP over IPv6" tcp "$c1_ip6"
done

# As Docker and Kubernetes have it: the bridge asks netfilter, which tracks connections.
if modprobe -q br_netfilter && sysctl -q -w net.bridge.bridge-nf-call-iptables=1 net.bridge.bridge-nf-call-ip6tables=1; then
	nft -f - <<-END
		table inet prism_stack {
			chain forward {
				type filter hook forward priority filter;
				ct state established,related accept
			}
		}
	END
	ip netns exec c1 nft -f - <<-END
		table inet prism_stack {
			chain input {
				type filter hook input priority filter;
				ct state established,related accept
			}
		}
	END
	for mode in off sync; do
		measure $mode "TCP over IPv6, a firewall on the bridge" tcp "$c1_ip6"
	done
	clean
	modprobe -r br_netfilter
else
	skip "a firewall on the bridge" "br_netfilter is not in this kernel"
fi
trace_remove
echo >$events
at_most "of all, at least half of a stack is left" "$most" $((size / 2))
finish
