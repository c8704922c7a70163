#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# client.sh ROUNDS SECONDS RATES CHECK...: the second guest: another node of the swarm, with the
# client. Measures for so many rounds, none where that is 0, and then does these checks. RATES of
# bulk traffic are packets a second, or "overload", with commas in between. On stdout, beside `step`, `error`,
# `inject` and `place`:
#   data MODE RATE ROUND ARRIVED NAME=NUMBER...
#                        packets a second, what counters moved; the cable has the latencies
#   ok NAME, not ok NAME, # TEXT
#                        what became of a check

here=$(dirname "$0")
. "$here/../../pair/guest/common.sh"
. "$here/../../pair/guest/control.sh"
. "$here/common.sh"
. "$here/hosts.sh"
. "$here/measure.sh"
. "$here/checks.sh"

rounds=$1 seconds=$2
IFS=, read -r -a rates <<<"$3"
shift 3

# on_server COMMAND...: what it says there, and its status; 125 where the answer does not come.
# The status ends the answer: the connection may stay for as long as what the command has left
# in the background.
on_server() {
	local line status=125

	while IFS= read -r line; do
		case $line in
		'status '*)
			status=${line#status }
			break
			;;
		esac
		printf '%s\n' "$line"
	done < <(exec socat -t 900 - \
		"TCP:$server_host:$remote_port,connect-timeout=5,keepalive,keepidle=10,keepintvl=5,keepcnt=6" \
		<<<"$(printf '%q ' "$@")")
	kill $! 2>/dev/null
	return "$status"
}

# join_swarm: as another node, and wait until it can be used.
join_swarm() {
	local token

	token=$(on_server docker swarm join-token -q worker) || die "no token: $token"
	docker swarm join --token "$token" "$server_host:2377" >/run/swarm.log 2>&1 ||
		die "the second host does not join: $(tail -n 1 /run/swarm.log)"
	on_server docker service create -d --name clients --network "$overlay_net" \
		--constraint node.hostname==client --no-resolve-image prism/traffic >/run/clients.log 2>&1 ||
		die "no clients: $(tail -n 1 /run/clients.log)"
	# The first container on a host takes longest, and a service has the time.
	wait_for 300 task_of clients || die "the clients do not start: $(tail -n 1 /run/dockerd.log)"
	attached bulk "${address[bulk]}" prism/traffic >/run/attached.log || die "$(</run/attached.log)"
}

exec {told}>&1
underlay_of client
start_engine
make_images
step "the second guest is ready"
wait_for 900 on_server true || die "the first guest does not answer"
join_swarm
find_client || die "the clients have gone"
find_cache || die "the service has gone"
port[cache]=11211
wait_for 60 answers "${address[cache]}:${port[cache]}" || die "the service does not answer"
step "the swarm is up"
reach_agent
if [ "$rounds" != 0 ]; then
	echo "place apart"
	if ! (measure_all); then
		step "the measurement was ended"
		inject ask 0
		inject overlay 0
	fi
	echo "place anywhere"
fi
if [ $# -gt 0 ]; then
	start_prism
	echo express >"$PRISM/mode"
	has_mode prism
fi
for name; do
	run_check "$name"
done
[ $# = 0 ] || stop_prism
echo "end"
exit 0
