#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A packet to which a tc program has given a socket has no reference to it, so that it
# must not wait: where a device's frames are met behind tc, it goes on at once.

. "${0%/*}/../lib.sh"
trap ended_early EXIT

probe=/sys/fs/bpf/assign
to_host() { wire udp --from remote --source "$peer_ip" --destination "$host_ip" "$@"; }
given() { bpf_count assign assigned_count; }

underlay nogro
to_host --count 3
bpftool prog loadall "$SELFTESTS"/bin/assign.o $probe
high other vni=none protocol=udp destination_port=5002
tc qdisc add dev nic0 clsact

# waits COUNTER DESCRIPTION: packets do, but for those that have a socket.
waits() {
	local counter=$1 given

	counters
	to_host --count 20
	counted
	arrived "$2"
	at_least "$2: packets are $counter" "${delta[$counter]}" 20
	tc filter add dev nic0 ingress bpf direct-action object-pinned $probe/prism_assign
	given=$(given)
	counters
	to_host --count 20
	counted
	arrived "$2, with sockets"
	equal "$2: they were given sockets" $(($(given) - given)) 20
	# Neighbours may have something to say to each other.
	at_most "$2: those are not" "${delta[$counter]}" 5
	tc filter del dev nic0 ingress
}

for mode in off sync batch express; do
	mode $mode
	isolate 1
	waits deferred_normal "mode $mode, isolate"
	isolate 0
done
high flow vni=none protocol=udp destination_port=5001
mode batch
waits batched "mode batch"
tc qdisc del dev nic0 clsact
rm -r $probe
finish
