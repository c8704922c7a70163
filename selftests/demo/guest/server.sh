#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# server.sh KIND: the first guest: services in containers, PRISM, and an agent that does and
# tells what the second guest asks for, until that one ends.

. "$(dirname "$0")/common.sh"
. "$DEMO/services.sh"

underlay eth0 "$server_host" "$server_mac"
overlay eth0 "$server_host" "$client_host"
firewall
start_services "$1"
# Who never answers is forgotten by the bridge, and flooded to.
bridge fdb replace "$(mac_of neighbour)" dev neighbour master static
load_prism /prism/prism.ko
step "the first guest is ready"

# Control runs beside the overlay, between the hosts.
socat "TCP-LISTEN:$control_port,bind=$server_host,reuseaddr" EXEC:"bash $DEMO/agent.sh" ||
	die "the agent failed"

# A rule holds the module.
rmdir "$RULES"/*
