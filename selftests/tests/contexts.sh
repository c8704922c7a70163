#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Packets that are received elsewhere than in an ordinary softirq, and by
# sockets of other kinds.

. "${0%/*}/../lib.sh"
trap ended_early EXIT

underlay
overlay_bridge
high flow vni=100 protocol=udp destination_port=5001
udp4 --count 5

same "a socket connected to the sender" udp4 --count 40 --connect
ran_to_completion "a socket connected to the sender" 40
same "a socket that polls the NIC" udp4 --count 40 --busy-poll 200
equal "a socket that polls the NIC: all are classified" "${delta[classified]}" 40

# Receive packet steering: the kernel moves packets to another CPU.
echo 3 >/sys/class/net/nic0/queues/rx-0/rps_cpus
same "receive packet steering at the NIC" udp4 --count 40
at_least "they are classified before" "${delta[classified]}" 1
echo 0 >/sys/class/net/nic0/queues/rx-0/rps_cpus

# NAPI in a thread, and with deferred interrupts.
echo 1 >/sys/class/net/nic0/threaded
same "NAPI in a thread" udp4 --count 40
ran_to_completion "NAPI in a thread" 40
echo 0 >/sys/class/net/nic0/threaded
echo 2 >/sys/class/net/nic0/napi_defer_hard_irqs
echo 200000 >/sys/class/net/nic0/gro_flush_timeout
same "interrupts deferred" udp4 --count 40
ran_to_completion "interrupts deferred" 40
echo 0 >/sys/class/net/nic0/napi_defer_hard_irqs
echo 0 >/sys/class/net/nic0/gro_flush_timeout

# Address translation and connection tracking on the way, as for a service.
nft -f - <<-END
	table bridge prism_track {
		chain forward {
			type filter hook forward priority 0;
			ct state invalid drop
			ct state new,established accept
		}
	}
END
same "connection tracking in the bridge" udp4 --count 40
ran_to_completion "connection tracking in the bridge" 40
nft flush ruleset

# An answer to each packet, from within the container.
mode sync
counters
wire rtt --from remote --to c1 --source "$remote_ip" --destination "$c1_ip" --count 100
counted
equal "each question gets its answer" "${got[received]-} of ${got[sent]-}" "100 of 100"
at_least "questions run to completion" "${delta[delivered]}" 100
clean

# A service's address, translated on the host.
underlay
overlay_veth
service_ip=10.96.0.1
in_ns remote <<<"route add $service_ip/32 via 10.244.0.0 dev vx100 onlink src $remote_ip"
nft -f - <<-END
	table ip prism_service {
		chain prerouting {
			type nat hook prerouting priority dstnat;
			ip daddr $service_ip udp dport 80 dnat to $c1_ip:5001
		}
	}
END
high service vni=100 protocol=udp "destination=$service_ip" destination_port=80
through_service() {
	wire udp --from remote --to c1 --source "$remote_ip" --destination "$service_ip" --port 80 \
		--listen "$c1_ip:5001" --count 40
}
same "a flow to a service's address" through_service
ran_to_completion "a flow to a service's address" 40
finish
