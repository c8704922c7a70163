#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# server.sh: the first guest: the manager of a swarm, with the service that has the label and its
# neighbour, PRISM and prismd. It does what the second guest asks for, until that one ends.

here=$(dirname "$0")
. "$here/../../pair/guest/common.sh"
. "$here/common.sh"

underlay_of server
start_engine
make_images
docker swarm init --advertise-addr "$server_host" --dispatcher-heartbeat 10s >/run/swarm.log 2>&1 ||
	die "no swarm: $(tail -n 1 /run/swarm.log)"
# Addresses that are asked for, and those that the swarm gives.
docker network create -d overlay --attachable --subnet 10.42.0.0/24 --ip-range 10.42.0.128/25 \
	--opt com.docker.network.driver.overlay.vxlanid_list="$VNI" "$overlay_net" >/run/network.log 2>&1 ||
	die "no overlay network: $(tail -n 1 /run/network.log)"
start_prism
docker service create -d --name cache --network "$overlay_net" --constraint node.hostname==server \
	--no-resolve-image --container-label io.prism.class=high \
	--container-label io.prism.ports=11211/tcp,11211/udp prism/memcached >/run/service.log 2>&1 ||
	die "no service: $(tail -n 1 /run/service.log)"
wait_for 120 task_of cache || die "the service does not start: $(docker service ps --no-trunc cache | tail -n 1)"
# It sets how much may wait for it.
attached neighbour "${address[neighbour]}" --cap-add NET_ADMIN --entrypoint /bin/bulk \
	prism/traffic receive "0.0.0.0:${port[neighbour]}" >/run/attached.log || die "$(</run/attached.log)"
pid_of neighbour >/run/neighbour.pid
pinned "$(task_of cache)"
pinned neighbour
wait_for 60 rules_of "$(task_of cache)" || die "prismd makes no rule: $(tail -n 2 /run/prismd.log)"

socat -t 900 "TCP-LISTEN:$remote_port,bind=$server_host,reuseaddr,fork" EXEC:"bash $here/serve.sh" &
step "the first guest is ready"
socat "TCP-LISTEN:$control_port,bind=$server_host,reuseaddr" EXEC:"bash $PAIR/agent.sh" ||
	die "the agent failed"
stop_prism
