# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154
#
# The topology of measurements, inside a guest: a NIC of simnic's, and behind it
# and a VXLAN tunnel two containers on a bridge.

nic=/sys/kernel/config/simnic/nics/sim0
results=/sys/kernel/debug/simnic/sim0/results

remote_inner=10.100.0.2
declare -A ip=([c1]=10.100.0.11 [c2]=10.100.0.12) mac=([c1]=02:00:00:00:00:11 [c2]=02:00:00:00:00:12)

die() { echo "error $*"; exit 1; }

topology() {
	local name

	modprobe -a vxlan veth bridge cls_bpf sch_ingress udp_tunnel ip6_udp_tunnel ||
		die "the kernel lacks a module"
	if ! insmod "$SELFTESTS/simnic.ko" || ! mkdir $nic; then
		die "no NIC: $(dmesg | tail -n 1)"
	fi
	ip -batch - <<-END || die "the topology cannot be set up"
		link set lo up
		link set sim0 up
		address add $host_ip/24 dev sim0
		neighbor add $peer_ip lladdr 02:00:00:00:fe:01 dev sim0
		link add vx100 type vxlan id 100 dstport 4789 local $host_ip remote $peer_ip dev sim0
		link add br100 type bridge
		link set vx100 master br100 up
		link set br100 up
	END
	for name in c1 c2; do
		ip -batch - <<-END || die "container $name cannot be set up"
			netns add $name
			link add ${name}h type veth peer name eth0 netns $name
			link set ${name}h master br100 up
		END
		ip -n $name -batch - <<-END || die "container $name cannot be set up"
			link set lo up
			link set eth0 address ${mac[$name]} up
			address add ${ip[$name]}/24 dev eth0
			neighbor add $remote_inner lladdr $remote_mac dev eth0
		END
		echo "${ip[$name]} 5001" | nsenter --net=/run/netns/$name tee $nic/sinks >/dev/null ||
			die "no socket in $name"
	done
	# The bridge knows where everybody is, and nobody talks but the NIC.
	for name in c1 c2; do
		bridge fdb replace "${mac[$name]}" dev ${name}h master static
	done
	for name in 5001 5002; do
		echo "$host_ip $name" >$nic/sinks || die "no socket on the host"
	done
	sleep 3
}
