#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# server.sh: the guest that receives: the services of the demo in containers, an
# echo and a neighbour on the host itself, PRISM, and the agent.

. "$(dirname "$0")/../../pair/guest/common.sh"
. "$(dirname "$0")/../../pair/guest/services.sh"
. "$(dirname "$0")/neighbours.sh"

container_host
start_services
service host_echo sockperf server -i "$server_host" -p "${port[host_echo]}"
service host_neighbour nice /prism/bulk receive "$server_host:${port[host_neighbour]}"
in_container neighbour taskset -c "$(($(nproc) - 1))" nice iperf3 -s -p "${port[neighbour_tcp]}" \
	>/run/neighbour_tcp.log 2>&1 &
await udp_bound host_echo host_neighbour

knows_host "$client_host" "$client_mac"
for name in "${services[@]}" neighbour; do
	knows "$name" clients bulk
done

load_prism /prism/prism.ko
rule host_echo udp none
rule neighbour udp
obey
