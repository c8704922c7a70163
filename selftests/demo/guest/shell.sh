#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The guest of `make shell`: the services of the demo on this host, and a second
# host in the namespace `remote` behind the other NIC of the same network.

. "$(dirname "$0")/../../pair/guest/common.sh"
. "$(dirname "$0")/../../pair/guest/services.sh"

dmesg -n 3
echo "starting containers ..."
ip netns add remote
ip link set eth1 netns remote
underlay eth0 "$server_host" "$server_mac"
underlay eth1 "$client_host" "$client_mac" remote
overlay eth0 "$server_host" "$client_host"
ip -n remote -batch - <<-END || die "the remote host cannot be set up"
	link set lo up
	link add vxlan0 type vxlan id $VNI dstport 4789 local $client_host remote $server_host dev eth1
	link set vxlan0 up
	address add ${address[clients]}/24 dev vxlan0
END
start_services
load_prism /prism/prism.ko
ln -sf /prism/{bulk,memprobe,prismctl} /usr/local/bin/
ln -sf "$(dirname "$0")/remote" /usr/local/bin/remote
printf '%s\n' "PRISM=$PRISM" "RULES=$RULES" >/root/.bash_profile
nginx=http://${address[nginx]}:${port[nginx]}/
cat <<END

PRISM is loaded, with a rule for each of three services in containers here:
memcached, nginx, and echo, which is sockperf's server. "neighbour" is a
container without a rule, and the namespace "remote" is another host. Try:

END
while IFS=: read -r what command; do
	printf '  %-56s # %s\n' "$command" "$what"
done <<END
PRISM acts; "off" ends it:prismctl mode sync
what is on, and what is not accelerated:prismctl status
a client of a service:remote sockperf pp -i ${address[echo]} -t 3
another one:remote wrk -t1 -c1 -d3 --latency $nginx
bulk traffic for the neighbour:remote bulk send ${address[neighbour]}:${port[neighbour]} 5000 &
rules, CPUs and latency, live; q ends it:prismctl top
what became of the packets:grep -v '^0' \$PRISM/stats/*
what the rules counted:grep . \$RULES/*/packets
inside a container:ip netns exec nginx ss -tln
END
echo
echo "Ctrl-D ends the guest."
