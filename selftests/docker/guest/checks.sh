# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154
#
# The checks, each a function check_NAME, in the order in which they are done. Source it after
# measure.sh.

check_name='' failures=0
was=''

# tell RESULT DESCRIPTION [OUTPUT]: of a part of a check.
tell() {
	echo "# $check_name: $1 $2" >&"$told"
	[ "$1" = ok ] && return
	failures=$((failures + 1))
	tail -n 5 <<<"${3-}" | sed "s/^/# $check_name:     /" >&"$told"
}

# must DESCRIPTION COMMAND...
must() {
	local what=$1 out
	shift

	if out=$("$@" 2>&1); then tell ok "$what"; else tell "not ok" "$what" "$out"; fi
}

# eventually SECONDS DESCRIPTION COMMAND...
eventually() {
	local limit=$1 what=$2 start=$SECONDS out
	shift 2

	until out=$("$@" 2>&1); do
		if [ $((SECONDS - start)) -ge "$limit" ]; then
			tell "not ok" "$what" "$out"
			return
		fi
		sleep 0.5
	done
	tell ok "$what"
}

# equal DESCRIPTION GOT EXPECTED
equal() { if [ "$2" = "$3" ]; then tell ok "$1"; else tell "not ok" "$1" "got \"$2\", expected \"$3\""; fi; }

# matches DESCRIPTION TEXT PATTERN
matches() { if grep -qE -- "$3" <<<"$2"; then tell ok "$1"; else tell "not ok" "$1" "$2"; fi; }

# run_check NAME
run_check() {
	check_name=$1 failures=0
	step "check: $1" >&"$told"
	{ find_client && find_cache; } || tell "not ok" "the service and its clients run"
	"check_$1" >>/run/checks.log 2>&1
	if [ $failures = 0 ]; then echo "ok $1"; else echo "not ok $1"; fi
}

# mark: what the first guest's counters are now; more NAME: by how much that one has moved.
mark() { was=$(on_server stats); }
more() { on_server stats | grown "$1"; }

# grown NAME: by how much a counter of those on stdin is more than it was.
grown() {
	local now before

	now=$(sed -n "s/^$1://p")
	before=$(sed -n "s/^$1://p" <<<"$was")
	# What is not there has not stayed the same.
	[ -n "$now" ] && [ -n "$before" ] && echo $((now - before))
}

# moves DESCRIPTION NAME: that counter does, by what a client asks for in a second.
moves() {
	local by

	by=$(more "$2")
	if [ "$by" -ge 50 ]; then tell ok "$1"; else tell "not ok" "$1" "$2 has moved by $by"; fi
}

# Neither of the two may be the container of before.
cache_answers() { find_client && find_cache && answers "${address[cache]}:11211"; }

# probe COMMAND...: what runs the client, which asks for a second.
probe() { "$@" timeout 30 /prism/memprobe "$target" 1 2000; }

check_plain() {
	local target=${address[cache]}:11211

	equal "two rules by the label alone: the network, the address and the ports" \
		"$(on_server all_fields "$cache" | sort | paste -sd ';')" \
		"$(printf "$VNI %s ${address[cache]}/32 11211 high 1;" tcp udp | sed 's/;$//')"
	mark
	must "the service answers" probe in_client
	moves "packets for it are of class high" classified
	moves "and decapsulated by PRISM" decapsulated
	moves "and delivered to the container" delivered
	equal "nobody is left out" "$(on_server left_out)" "true"
}

check_encrypted() {
	local target=10.43.0.11:11211 pid status

	must "an encrypted network" on_server docker network create -d overlay --attachable --opt encrypted \
		--subnet 10.43.0.0/24 secret
	must "a container with a label" on_server attached_to secret vault 10.43.0.11 --label io.prism.class=high \
		prism/memcached
	must "its client" attached_to secret vault-client 10.43.0.12 prism/traffic
	pid=$(pid_of vault-client)
	eventually 120 "it answers" probe nsenter -t "$pid" -n
	must "by IPsec" on_server has_ipsec
	mark
	must "and goes on" probe nsenter -t "$pid" -n
	equal "PRISM decapsulates nothing" "$(more decapsulated)" 0
	equal "nor is anything of class high" "$(more classified)" 0
	status=$(on_server prismctl status)
	matches "prismctl status says why" "$status" "^  vault, network secret: .*IPsec.*\(encrypted\)"
	equal "also as JSON" "$(on_server left_out)" "true vault:secret:encrypted"
	must "it is removed" on_server docker rm -f vault
	must "with its client" docker rm -f vault-client
	eventually 30 "then nobody is left out" nobody_left_out
	on_server docker network rm secret
}

nobody_left_out() { [ "$(on_server left_out)" = true ]; }

check_published() {
	local rule target=$server_host:8080

	must "a container on the default bridge, a port published" on_server docker run -d --name web -p 8080:11211 \
		--label io.prism.class=high --label io.prism.ports=11211/tcp prism/memcached
	eventually 30 "has a rule" on_server rules_of web
	rule=$(on_server rules_of web)
	# One for each family, as Docker publishes it.
	matches "for the port of the host" "$(on_server all_fields web)" '^none tcp 0\.0\.0\.0/0 8080 high 1$'
	matches "for that of IPv6" "$(on_server all_fields web)" '^none tcp ::/0 8080 high 1$'
	eventually 30 "it answers" probe env
	mark
	must "and goes on" probe env
	moves "what comes to the port is of class high" classified
	moves "and runs to completion" completed
	must "it is removed" on_server docker rm -f web
	eventually 30 "with its rules" on_server has_no_rule "${rule%%:ports:*}:*"
}

check_podman() {
	local target=$server_host:8081

	must "a container of podman on its bridge" on_server podman_run pod -p 8081:11211 prism/memcached
	must "a rule by prismctl" on_server prismctl rule add pod vni=none protocol=tcp destination_port=8081
	eventually 30 "it answers" probe env
	mark
	must "and goes on" probe env
	moves "what comes to the port is of class high" classified
	moves "and runs to completion" completed
	must "the rule is removed" on_server prismctl rule del pod
	must "and the container" on_server podman rm -f -t 1 pod
}

check_flannel() {
	local target=10.244.1.2:11211

	must "a network as Flannel makes it" on_server flannel 1 2
	must "on both hosts" flannel 2 1
	must "a service in it" on_server ip netns exec pod memcached -u root -d -P /run/pod.pid
	must "a rule by prismctl" on_server prismctl rule add pod vni=1 protocol=tcp destination=10.244.1.2 \
		destination_port=11211
	eventually 30 "it answers" probe ip netns exec pod
	mark
	must "and goes on" probe ip netns exec pod
	moves "packets for it are of class high" classified
	moves "and decapsulated by PRISM" decapsulated
	moves "and delivered to the container" delivered
	must "the rule is removed" on_server prismctl rule del pod
	on_server kill_file /run/pod.pid
	must "and the network" on_server no_flannel
	no_flannel
}

# move_cache FROM TO
move_cache() {
	on_server docker service update -d --constraint-rm "node.hostname==$1" --constraint-add "node.hostname==$2" cache
}

# Traffic to the service's virtual address, which stays, from one connection after the other. One
# that is opened to a container that has just gone would wait for minutes.
start_traffic() {
	while :; do
		# Where the swarm has missed this host meanwhile, the clients are in another container.
		in_client timeout 10 /prism/memprobe "$1" 1 5000 || find_client
		sleep 0.2
	done >>/run/traffic 2>&1 &
	traffic_pid=$!
}

# The last client has got its answers. Says what it complained of otherwise.
traffic_flows() { tail -n 1 /run/traffic | grep '^sent=' || ! tail -n 2 /run/traffic; }

# The service moves to the second host, and back from its container `here`.
moves_there() {
	must "the service moves to the second host" move_cache server client
	eventually 240 "where it runs" task_of cache
}
moves_back() {
	must "the service moves back" move_cache client server
	eventually 240 "and runs there" on_server task_of cache
	find_cache
	eventually 60 "with its rule" on_server rules_of "$cache"
	eventually 120 "the second host has none any more" has_no_rule "docker:$here:*"
}

# serves_here SECONDS: those who ask that container from the first host get answers, by PRISM here.
serves_here() {
	local target

	target=$(address_of "$here" "$overlay_net"):11211
	was=$(stats)
	eventually "$1" "those in the first host have answers" on_server in_neighbour /prism/memprobe "$target" 1 2000
	matches "whose packets PRISM decapsulates here" "$(stats | grown decapsulated)" '^[1-9][0-9]+$'
}

check_moved() {
	local vip before=$cache here

	vip=$(on_server vip_of cache)
	start_traffic "$vip:11211"
	eventually 60 "clients have answers" traffic_flows
	moves_there
	here=$(task_of cache)
	eventually 60 "and has its rule" rules_of "$here"
	eventually 120 "the first host has none any more" on_server has_no_rule "docker:$before:*"
	: >/run/traffic
	eventually 120 "clients have answers again" traffic_flows
	serves_here 60
	moves_back
	: >/run/traffic
	eventually 120 "clients have answers again" traffic_flows
	kill "$traffic_pid"
	wait "$traffic_pid"
}

check_restarted() {
	local before=$cache

	must "Docker is stopped with its containers and started" on_server restart_engine
	eventually 240 "the service runs again" other_cache "$before"
	find_cache
	eventually 60 "with its rule" on_server rules_of "$cache"
	eventually 60 "the rule of before has gone" on_server has_no_rule "docker:$before:*"
	eventually 120 "it answers" cache_answers
	find_client
	goes_on_by_prism
}

# other_cache ID: the service's container is another one than that.
other_cache() {
	find_cache && [ "$cache" != "$1" ]
}

# other_task SERVICE ID: it has a container here, and that one has gone.
other_task() {
	local now

	now=$(task_of "$1") && [[ $now != *"$2"* ]]
}

# Its packets are taken as before.
goes_on_by_prism() {
	local target=${address[cache]}:11211

	mark
	must "and goes on" probe in_client
	moves "by PRISM" decapsulated
}

is_away() { ! on_server true; }

check_node_lost() {
	local rules clients

	rules=$(on_server all_fields "$cache")
	matches "the service has rules" "$rules" "^$VNI "
	clients=$(task_of clients)
	must "the first host's link is cut" on_server cut_link
	eventually 60 "it cannot be reached" is_away
	eventually 240 "it comes back" on_server true
	equal "when the swarm has missed the second host" "$(on_server cat /run/cut)" down
	eventually 120 "which is back, too" on_server node_is client ready
	equal "the rules are the same" "$(on_server all_fields "$cache")" "$rules"
	eventually 240 "the clients are in another container" other_task clients "$clients"
	eventually 120 "the service answers" cache_answers
	find_client
	goes_on_by_prism
}

check_node_died() {
	local before here

	moves_there
	before=$(task_of cache)
	eventually 60 "and has its rule" rules_of "$before"
	must "that host's engine, containers and prismd are killed" kill_engine
	eventually 120 "the swarm misses it" on_server node_is client down
	must "nobody has removed the rule" has_rule "docker:$before:*"
	must "Docker and prismd are started again" start_again
	eventually 120 "the host is back" on_server node_is client ready
	eventually 240 "the service runs there in another container" other_task cache "$before"
	here=$(task_of cache)
	eventually 60 "with its rule" rules_of "$here"
	eventually 60 "the rule of before has gone" has_no_rule "docker:$before:*"
	serves_here 120
	moves_back
	find_client
	eventually 240 "the service answers" cache_answers
	goes_on_by_prism
}

check_churn() {
	local many=24

	must "$many containers are started" on_server churn 1 $many 20000
	eventually 60 "each has its rule" on_server has_rules $((many + 2))
	must "and stopped" on_server no_churn
	eventually 60 "no rule is left" on_server has_rules 2
	must "but those of the service" on_server rules_of "$cache"
}
