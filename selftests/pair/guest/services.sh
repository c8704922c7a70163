# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154,SC2015
#
# The first guest's containers: three services that care for latency, and a
# neighbour that does not. Source it after common.sh.

services=(memcached nginx echo)

# container_host: its bridge and its way to the other guest.
container_host() {
	underlay eth0 "$server_host" "$server_mac"
	overlay eth0 "$server_host" "$client_host"
	firewall
}

# service NAME COMMAND...: in its container, or on the host if it has none. Services
# stay off the processor that receives.
service() {
	local name=$1 where=()
	shift

	[ ! -e "/run/netns/$name" ] || where=(ip netns exec "$name")
	"${where[@]}" taskset -c "$(($(nproc) - 1))" "$@" >"/run/$name.log" 2>&1 &
	echo $! >"/run/$name.pid"
}

# tcp_answers NAME, udp_bound NAME: whether it is there for clients.
tcp_answers() {
	in_container "$1" bash -c "exec 3<>/dev/tcp/${address[$1]}/${port[$1]}"
}

udp_bound() {
	local where=()

	[ ! -e "/run/netns/$1" ] || where=(in_container "$1")
	"${where[@]}" ss -Hlun "sport = :${port[$1]}" | grep -q .
}

# await CONDITION NAME...: until it holds for each of these services.
await() {
	local condition=$1 name
	shift

	for name; do
		wait_for 30 "$condition" "$name" || die "$name does not start: $(tail -n 3 "/run/$name.log")"
	done
}

nginx_config() {
	cat <<-END
		user root;
		worker_processes 1;
		daemon off;
		pid /run/nginx-master.pid;
		error_log stderr;
		events { worker_connections 64; }
		http {
			access_log off;
			keepalive_requests 1000000000;
			server {
				listen ${address[nginx]}:${port[nginx]};
				location / { return 200 "$(printf '%0512d' 0)"; }
			}
		}
	END
}

# firewall: what Docker and Kubernetes have on a host: the bridge asks netfilter,
# which tracks connections.
firewall() {
	modprobe br_netfilter &&
		sysctl -q -w net.bridge.bridge-nf-call-iptables=1 &&
		nft -f - <<-END || die "the firewall cannot be set up"
			table inet filter {
				chain forward {
					type filter hook forward priority filter; policy accept;
					ct state established,related accept
					ct state invalid drop
				}
			}
		END
}

# start_services [KIND]: KIND of bulk traffic, sockperf or bursts.
start_services() {
	local name

	for name in "${services[@]}" neighbour; do
		container "$name"
	done
	nginx_config >/run/nginx.conf
	service memcached memcached -u root -t 1 -m 64 -I 2m -l "${address[memcached]}" -p "${port[memcached]}"
	service nginx nginx -c /run/nginx.conf
	service echo sockperf server -i "${address[echo]}" -p "${port[echo]}"
	case ${1-} in
	sockperf) service neighbour nice sockperf server -i "${address[neighbour]}" -p "${port[neighbour]}" ;;
	*) service neighbour nice /prism/bulk receive "${address[neighbour]}:${port[neighbour]}" ;;
	esac
	await tcp_answers memcached nginx
	await udp_bound echo neighbour
	# Who never answers is forgotten by the bridge, and flooded to.
	bridge fdb replace "$(mac_of neighbour)" dev neighbour master static
}

# rule NAME PROTOCOL [VNI]: packets for that service are of class high.
rule() {
	local dir=$RULES/$1

	mkdir "$dir" &&
		echo "${3:-$VNI}" >"$dir/vni" &&
		echo "$2" >"$dir/protocol" &&
		echo "${address[$1]}/32" >"$dir/destination" &&
		echo "${port[$1]}" >"$dir/destination_port" &&
		echo high >"$dir/class" &&
		echo 1 >"$dir/enabled" ||
		die "the rule for $1 is refused: $(dmesg | tail -n 1)"
}

load_prism() {
	insmod "$1" 2>/run/insmod.log || die "prism.ko does not load: $(cat /run/insmod.log)"
	rule memcached tcp
	rule nginx tcp
	rule echo udp
}

# obey: does what the second guest asks for until that one ends. Control runs
# beside the overlay, between the hosts.
obey() {
	step "the first guest is ready"
	socat "TCP-LISTEN:$control_port,bind=$server_host,reuseaddr" EXEC:"bash $PAIR/agent.sh" ||
		die "the agent failed"
	# A rule holds the module.
	rmdir "$RULES"/*
}
