# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154
#
# The topology of measurements, inside a guest: a NIC of simnic's, and behind it
# and a VXLAN tunnel containers on a bridge. Traffic ends in these containers, or
# in sockets of the host.

nic=/sys/kernel/config/simnic/nics/sim0
results=/sys/kernel/debug/simnic/sim0/results

remote_inner=10.100.0.2
containers=(c1 c2 c3)
# shellcheck disable=SC2154
declare -A ip=([c1]=10.100.0.11 [c2]=10.100.0.12 [c3]=10.100.0.13
	[h1]=$host_ip [h2]=$host_ip [h3]=$host_ip)
declare -A mac=([c1]=02:00:00:00:00:11 [c2]=02:00:00:00:00:12 [c3]=02:00:00:00:00:13)
declare -A port=([c1]=5001 [c2]=5001 [c3]=5001 [h1]=5001 [h2]=5002 [h3]=5003)
# A process in each network namespace.
declare -A holder=([h]=$$)

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
	for name in "${containers[@]}"; do
		ip -batch - <<-END || die "container $name cannot be set up"
			netns add $name
			link add ${name}h type veth peer name eth0 netns $name
			link set ${name}h master br100 up
		END
		ip -n "$name" -batch - <<-END || die "container $name cannot be set up"
			link set lo up
			link set eth0 address ${mac[$name]} up
			address add ${ip[$name]}/24 dev eth0
			neighbor add $remote_inner lladdr $remote_mac dev eth0
		END
		nsenter --net="/run/netns/$name" sleep infinity &
		holder[$name]=$!
	done
	# The bridge knows where everybody is, and nobody talks but the NIC.
	for name in "${containers[@]}"; do
		bridge fdb replace "${mac[$name]}" dev "${name}h" master static
	done
	open_sinks
	sleep 3
}

# open_sinks [CONNECTION...]: in all places a UDP socket, and these connections,
# each PLACE:PEER:PORT:SIZE, but nothing else.
open_sinks() {
	local place connection peer peer_port size line

	echo none >$nic/sinks
	for place in "${!ip[@]}"; do
		line="${ip[$place]} ${port[$place]}"
		sink "$place" "$line"
		for connection; do
			IFS=: read -r to peer peer_port size <<<"$connection"
			[ "$to" != "$place" ] || sink "$place" "$line tcp $peer $peer_port $size"
		done
	done
}

# sink PLACE LINE
sink() {
	case $1 in
	h*) echo "$2" >$nic/sinks ;;
	*) echo "$2" | nsenter --net="/run/netns/$1" tee $nic/sinks >/dev/null ;;
	esac || die "no socket in $1: $(dmesg | tail -n 1)"
}

topology_ends() {
	local name

	echo none >$nic/sinks
	rmdir $nic
	rmmod simnic || die "simnic does not unload"
	for name in "${containers[@]}"; do
		kill "${holder[$name]}"
	done
}
