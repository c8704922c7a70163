# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154
#
# What the checks have either host do. Source it after common.sh.

# flannel SELF OTHER: a network as Flannel makes it, and a container in it: each host has a /24,
# of which a bridge is the gateway, and routes the other's through a VXLAN device that learns
# nothing. SELF and OTHER are 1, the server, and 2.
flannel() {
	local hosts=(- "$server_host" "$client_host") macs=(- 0a:58:0a:f4:01:00 0a:58:0a:f4:02:00)

	ip netns add pod &&
		ip -batch - <<-END &&
			link add flannel.1 type vxlan id 1 dstport 8472 local ${hosts[$1]} dev eth0 nolearning
			link set flannel.1 address ${macs[$1]} up
			address add 10.244.$1.0/32 dev flannel.1
			link add cni0 type bridge
			link set cni0 up
			address add 10.244.$1.1/24 dev cni0
			link add pod0 mtu 1450 type veth peer name eth0 mtu 1450 netns pod
			link set pod0 master cni0 up
			neighbour replace 10.244.$2.0 lladdr ${macs[$2]} dev flannel.1 nud permanent
			route replace 10.244.$2.0/24 via 10.244.$2.0 dev flannel.1 onlink
		END
		bridge fdb append "${macs[$2]}" dev flannel.1 dst "${hosts[$2]}" &&
		ip -n pod -batch - <<-END &&
			link set lo up
			link set eth0 up
			address add 10.244.$1.2/24 dev eth0
			route add default via 10.244.$1.1
		END
		# Docker has the host forward nothing else.
		iptables -I FORWARD -i flannel.1 -o cni0 -j ACCEPT &&
		iptables -I FORWARD -i cni0 -o flannel.1 -j ACCEPT
}

no_flannel() {
	iptables -D FORWARD -i flannel.1 -o cni0 -j ACCEPT
	iptables -D FORWARD -i cni0 -o flannel.1 -j ACCEPT
	ip link del flannel.1
	ip link del cni0
	ip netns del pod
}

# podman_run NAME ARG...: a container of the image that Docker has, too.
podman_run() {
	local name=$1
	shift

	mkdir -p /etc/containers
	[ -e /etc/containers/policy.json ] ||
		echo '{"default": [{"type": "insecureAcceptAnything"}]}' >/etc/containers/policy.json
	podman image exists prism/memcached ||
		podman import --change 'ENTRYPOINT ["/usr/bin/memcached", "-u", "root"]' \
			/run/memcached.tar prism/memcached &&
		podman --cgroup-manager cgroupfs --events-backend file run -d --name "$name" "$@"
}

# cut_link: the host's link is down until the swarm misses the second host, or for three minutes.
# How the swarm has it then is in /run/cut. The link stays up until the answer has left: where that
# waits for the link, TCP gives the socket up that nobody has open any more.
cut_link() {
	# A shell that serve.sh has forked would keep the socket of the answer.
	bash -c "$(declare -f node_is)"'
		sleep 5
		ip link set eth0 down
		for ((SECONDS = 0; SECONDS < 180; )); do
			! node_is client down || break
			sleep 1
		done
		docker node inspect -f "{{.Status.State}}" client
		ip link set eth0 up' >/run/cut 2>&1 &
}

# node_is NAME STATE: as the manager of the swarm has it.
node_is() { docker node inspect -f '{{.Status.State}}' "$1" | grep -qx "$2"; }

# kill_engine: with all that it runs and prismd, as where a host loses its power: nobody is told. The engine is
# first, so that it sees none of the others go. The kernel stays, and rules with it.
kill_engine() {
	local dir name pid pids

	mapfile -t pids < <(docker ps -q | xargs docker inspect -f '{{.State.Pid}}')
	for dir in /proc/[0-9]*; do
		{ read -r name <"$dir/comm"; } 2>/dev/null || continue
		case $name in
		# Of the shim, as much as the kernel keeps.
		containerd | containerd-shim | docker-proxy | prismd) pids+=("${dir#/proc/}") ;;
		esac
	done
	pids=("$(</run/dockerd.pid)" "${pids[@]}")
	kill -KILL "${pids[@]}"
	for pid in "${pids[@]}"; do
		wait_for 30 is_gone "$pid" || return
	done
	# The number may be another's by now, and nobody listens there.
	rm -f /run/docker.pid /run/docker.sock "$containerd_socket"
}

# start_again: what a host starts when it boots.
start_again() {
	# What goes wrong is for whoever asks.
	local told=1

	start_engine && start_prismd
}

# restart_engine: what runs is stopped and started again with it.
restart_engine() { stop_engine && start_engine; }

# churn FIRST LAST PORT: containers of these numbers, each with a port from PORT on and a label.
churn() {
	local n

	for ((n = $1; n <= $2; n++)); do
		docker run -d --name "churn$n" -p "0.0.0.0:$(($3 + n)):11211" --label io.prism.class=high \
			--label io.prism.ports=11211/tcp prism/memcached || return
	done
}

no_churn() { docker ps -aq --filter name=churn | xargs docker rm -f; }

# stats: NAME:COUNT of each of PRISM's counters.
stats() { (cd "$PRISM/stats" && grep . ./*) | sed 's|^\./||'; }

# fields RULE
fields() {
	(cd "$RULES/$1" && cat vni protocol destination destination_port class enabled) | paste -sd ' '
}

# all_fields CONTAINER: of each of its rules.
all_fields() {
	local rule

	for rule in $(rules_of "$1"); do
		fields "$rule"
	done
}

# has_rule PATTERN, has_no_rule PATTERN
has_rule() { ! has_no_rule "$1"; }
has_no_rule() { ! compgen -G "$RULES/$1" >/dev/null; }

# has_rules N: of prismd.
has_rules() { [ "$(compgen -G "$RULES/docker:*" | wc -l)" = "$1" ]; }

# left_out: whether prismd runs, and who has no rule, as NAME:NETWORK:REASON.
left_out() {
	prismctl --json status |
		jq -r '.left_out | "\(.is_running) \(.containers | map("\(.name):\(.network):\(.reason)") | join(" "))"' |
		sed 's/ $//'
}

has_ipsec() { ip xfrm state | grep -q 'proto esp'; }

# vip_of SERVICE: its address, whoever serves.
vip_of() {
	docker service inspect -f '{{range .Endpoint.VirtualIPs}}{{println .Addr}}{{end}}' "$1" | sed -n 's|^\(10\.42\.[^/]*\)/.*|\1|p'
}

# in_neighbour COMMAND...: in the network of that container.
in_neighbour() { nsenter -t "$(pid_of neighbour)" -n "$@"; }

kill_file() { kill "$(<"$1")"; }
