#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The guest of `make shell`: the services of the demo on this host, and a second
# host in the namespace `remote` behind the other NIC of the same network.

. "$(dirname "$0")/common.sh"
. "$DEMO/services.sh"

echo "starting containers ..."
ip netns add remote
ip link set eth1 netns remote
underlay eth0 "$server_host" 52:54:00:00:2a:01
underlay eth1 "$client_host" 52:54:00:00:2a:02 remote
overlay eth0 "$server_host" "$client_host"
ip -n remote -batch - <<-END || die "the remote host cannot be set up"
	link set lo up
	link add vxlan0 type vxlan id $VNI dstport 4789 local $client_host remote $server_host dev eth1
	link set vxlan0 up
	address add ${address[clients]}/24 dev vxlan0
END
start_services
load_prism /prism/prism.ko
ln -sf /prism/bulk /prism/memprobe /usr/local/bin/
ln -sf "$DEMO/remote" /usr/local/bin/remote
cat <<END

PRISM is loaded. Containers on this host: memcached ${address[memcached]}:${port[memcached]}, nginx \
${address[nginx]}:${port[nginx]},
echo (sockperf) ${address[echo]}:${port[echo]}, neighbour (sockperf) ${address[neighbour]}:${port[neighbour]}. \
Namespace "remote" is another host.

  echo sync > $PRISM/mode                        from now on PRISM acts; "off" ends it
  remote sockperf pp -i ${address[echo]} -t 3            a client of a service
  remote wrk -t1 -c1 -d3 --latency http://${address[nginx]}/
  remote bulk send ${address[neighbour]}:${port[neighbour]} 5000 &      the neighbour's bulk traffic
  grep -v '^0' $PRISM/stats/*                    what became of the packets
  grep . $RULES/*/packets      what the rules matched
  ip netns exec nginx ss -tln                              inside a container

"poweroff -f" or Ctrl-D leaves.
END
