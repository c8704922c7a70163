# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Overlays as container platforms build them. The root namespace is the host
# under test; namespace `remote`, behind another NIC, is the rest of the world.
#
#   underlay [KIND]      the link between both: host_dev, remote_dev
#   overlay_KIND [...]   containers, and how the remote end reaches them
#
# Both set the addresses that traffic.sh uses.

host_ip=192.168.10.1 host_ip6=fd00:10::1
peer_ip=192.168.10.2 peer_ip6=fd00:10::2
host_dev=nic0 remote_dev=nic1

# What a container is behind: veth or netkit.
pair_kind=${pair_kind:-veth}

# The MAC addresses of the VXLAN devices, where they are to be known.
host_mac=02:00:00:00:00:01 remote_mac=02:00:00:00:00:02

# in_ns NAMESPACE: runs lines of `ip` commands from stdin there; the empty name
# is the host.
in_ns() {
	local text

	if [ -z "${collecting-}" ]; then
		ip ${1:+-n "$1"} -batch -
		return
	fi
	IFS= read -r -d '' text || :
	[[ " ${namespaces[*]} " == *" $1 "* ]] || namespaces+=("$1")
	lines["ns $1"]+=$text
}

# together FUNCTION ARG...: what it has `in_ns` do, with one program for each
# namespace: the host first, then the others as they come.
together() {
	local namespaces=() name collecting=1
	local -A lines=(["ns "]="")

	# One `ip` makes no more than one netkit pair: "duplicate mode".
	[ "$pair_kind" != netkit ] || collecting=
	"$@"
	[ -n "$collecting" ] || return 0
	ip -batch - <<<"${lines["ns "]}" || return
	for name in "${namespaces[@]}"; do
		[ -z "$name" ] || ip -n "$name" -batch - <<<"${lines["ns $name"]}" || return
	done
}

# nic_of NUMBER: the name of the NIC that QEMU gave that number; none if there
# is no such NIC.
nic_of() {
	local dir mac

	for dir in /sys/class/net/*/; do
		dir=${dir%/}
		read -r mac <"$dir/address"
		if [ "$mac" = "52:54:00:00:00:0$1" ]; then
			echo "${dir##*/}"
			return
		fi
	done
}

# base: what all tests start from: the NICs by fixed names, the odd ones in
# `remote`. Does nothing where it is so.
base() {
	local n name

	[ -e /run/netns/remote ] || ip netns add remote
	for n in 0 1 2 3 4 5; do
		name=$(nic_of $n)
		[ -n "$name" ] || continue
		ip link set "$name" down
		[ "$name" = nic$n ] || ip link set "$name" name nic$n
		[ $((n % 2)) = 0 ] || ip link set nic$n netns remote
	done
	ip -n remote link set lo up
	[ -e /sys/class/net/nic0 ]
}

has_nic() { [ -e "/sys/class/net/nic$1" ]; }

# underlay [KIND]: brings the link up.
#   nic        two virtio NICs
#   nogro      the same with GRO off at the host
#   threaded   the same with NAPI in a thread
#   e1000e, rtl8139   such a NIC at the host
#   vlan, bond        a device of that kind on the NIC at the host
#   tap, tap-offload, tap-fragments   two tap devices and a cable between them
underlay() {
	local kind=${1:-nic}

	host_dev=nic0 remote_dev=nic1 entry_dev=
	case $kind in
	e1000e) host_dev=nic2 remote_dev=nic3 ;;
	rtl8139) host_dev=nic4 remote_dev=nic5 ;;
	vlan)
		echo "link add link nic0 name vlan7 type vlan id 7" | in_ns ''
		echo "link add link nic1 name vlan7 type vlan id 7" | in_ns remote
		up nic0 '' && up nic1 remote
		host_dev=vlan7 remote_dev=vlan7 entry_dev=nic0
		;;
	bond)
		in_ns '' <<-END
			link add bond7 type bond mode active-backup miimon 100
			link set nic0 master bond7
		END
		host_dev=bond7 entry_dev=nic0
		;;
	tap*) cable "$kind" ;;
	nogro) nic_gro off ;;
	threaded) echo 1 >/sys/class/net/nic0/threaded ;;
	esac
	address "$host_dev" '' "$host_ip" "$host_ip6"
	address "$remote_dev" remote "$peer_ip" "$peer_ip6"
}

up() { echo "link set $1 up" | in_ns "$2"; }

# address DEVICE NAMESPACE IP IP6
address() {
	in_ns "$2" <<-END
		link set $1 up
		address replace $3/24 dev $1
		address replace $4/64 dev $1 nodad
	END
}

cable_pid=
cable() {
	local args=() out=/run/selftests.cable

	case $1 in
	tap-offload) args=(--offload) ;;
	tap-fragments) args=(--offload --fragments 60) ;;
	esac
	: >$out
	# A queue of a NIC has its CPU. A task that moved while frames wait on the CPU before would
	# overtake them.
	taskset -c 0 "$WIRE" cable --a :tap0 --b remote:tap1 "${args[@]}" >$out 2>&1 &
	cable_pid=$!
	wait_for 5 grep -q ready $out || fail "the cable" "$(<$out)"
	host_dev=tap0 remote_dev=tap1
}

# container NAME NUMBER: a namespace with eth0, whose other end is NAMEh in the
# namespace of the bridge or router.
container() {
	local name=$1 host=${3-} mac
	printf -v mac '02:00:00:00:00:%02x' "$2"

	in_ns '' <<<"netns add $name"
	case $pair_kind in
	netkit)
		in_ns "$host" <<-END
			link add ${name}h type netkit mode l2 forward peer forward name eth0 netns $name
			link set ${name}h up
		END
		;;
	*)
		in_ns "$host" <<-END
			link add ${name}h type veth peer name eth0 netns $name
			link set ${name}h up
		END
		;;
	esac
	in_ns "$name" <<-END
		link set eth0 address $mac mtu ${container_mtu:-1430} up
		link set lo up
	END
}

# container_on DEVICE KIND OPTION...: c1's eth0, of that kind on DEVICE: macvlan or ipvlan.
container_on() {
	[ -e /run/netns/c1 ] || in_ns '' <<<"netns add c1"
	in_ns '' <<<"link add link $1 name on_$1 netns c1 type ${*:2}"
	in_ns c1 <<-END
		link set on_$1 name eth0
		link set eth0 up
		link set lo up
	END
}

# vtep_remote [VNI [PORT [FAMILY [OPTION...]]]]: the other end's VXLAN device.
vtep_remote() {
	local vni=${1:-100} port=${2:-4789} from=$peer_ip to=$host_ip
	[ "${3-4}" = 4 ] || { from=$peer_ip6; to=$host_ip6; }

	in_ns remote <<-END
		link add vx$vni address $remote_mac type vxlan id $vni dstport $port local $from remote $to dev $remote_dev ${*:4}
		link set vx$vni mtu 1430 up
	END
}

# vtep_host [VNI [PORT [FAMILY [OPTION...]]]]: the host's, which is on the path
# to its containers.
vtep_host() {
	local vni=${1:-100} port=${2:-4789} from=$host_ip to=$peer_ip

	path=("${entry_dev:-$host_dev}" "vx$vni" eth0)
	[ "${3-4}" = 4 ] || { from=$host_ip6; to=$peer_ip6; }

	in_ns '' <<-END
		link add vx$vni type vxlan id $vni dstport $port local $from remote $to dev $host_dev ${*:4}
		link set vx$vni mtu 1430 up
	END
}

# overlay_addresses [NET]: addresses of a flat overlay, on 10.NET.0.0/24.
overlay_addresses() {
	local net=${1:-100}

	remote_ip=10.$net.0.2 remote_ip6=fd00:$net::2
	c1_ip=10.$net.0.11 c1_ip6=fd00:$net::11
	c2_ip=10.$net.0.12 c2_ip6=fd00:$net::12
}

# flat_addresses VNI CONTAINER...: gives them to the devices.
flat_addresses() {
	local vni=$1 n=11 name
	shift

	in_ns remote <<-END
		address add $remote_ip/24 dev vx$vni
		address add $remote_ip6/64 dev vx$vni nodad
	END
	for name; do
		in_ns "$name" <<-END
			address add ${c1_ip%.*}.$n/24 dev eth0
			address add ${c1_ip6%:*}:$n/64 dev eth0 nodad
		END
		n=$((n + 1))
	done
}

# overlay_bridge [VNI [PORT [FAMILY]]]: containers c1 and c2 on a bridge whose
# port is the VXLAN device.
overlay_bridge() {
	overlay_addresses "${4:-100}"
	together make_overlay_bridge "$@"
}

make_overlay_bridge() {
	local vni=${1:-100}

	vtep_remote "$vni" "${@:2:2}"
	vtep_host "$vni" "${@:2:2}"
	container c1 17
	container c2 18
	on_bridge "$vni" c1 c2
	flat_addresses "$vni" c1 c2
}

# on_bridge VNI CONTAINER...: the host's ends of these, and the VXLAN device, on a bridge.
on_bridge() {
	local ends=("${@:2}")

	# Not behind a pipe, where what `together` collects would be lost.
	in_ns '' < <(
		echo "link add br$1 type bridge"
		printf "link set %s master br$1\n" "vx$1" "${ends[@]/%/h}"
		echo "link set br$1 up"
	)
}

# neighbour CONTAINER NUMBER HOST: one more on br100, with that address in c1's network.
neighbour() {
	container "$1" "$2"
	in_ns '' <<<"link set ${1}h master br100"
	in_ns "$1" <<<"address add ${c1_ip%.*}.$3/24 dev eth0"
}

# other_networks: VXLAN devices, on the same port and on another, come and go.
other_networks() {
	in_ns '' <<-END
		link add vx900 type vxlan id 900 dstport 4789 local $host_ip dev nic0
		link set vx900 up
		link add vx901 type vxlan id 901 dstport 8472 local $host_ip dev nic0
		link set vx901 up
		link set vx900 down
		link del vx901
		link del vx900
	END
}

# overlay_bridge_in_netns: as Docker does it: bridge, VXLAN device and the
# containers' ends in a namespace of their own, the socket in the host's.
overlay_bridge_in_netns() {
	overlay_addresses
	together make_overlay_bridge_in_netns
}

make_overlay_bridge_in_netns() {
	vtep_remote
	in_ns '' <<<"netns add overlay"
	vtep_host
	in_ns '' <<<"link set vx100 netns overlay"
	container c1 17 overlay
	container c2 18 overlay
	in_ns overlay <<-END
		link add br100 type bridge
		link set vx100 mtu 1430
		link set vx100 master br100 up
		link set c1h master br100
		link set c2h master br100
		link set br100 up
	END
	flat_addresses 100 c1 c2
}

# routed_remote: the remote end of the routed overlays. Its packets come from
# an address of its own, on dummy device pod0.
routed_remote() {
	remote_ip=10.244.1.2 remote_ip6=fd00:244:1::2
	c1_ip=10.244.0.11 c1_ip6=fd00:244::11
	vtep_remote 100 4789 4 nolearning
	vtep_host 100 4789 4 nolearning
	in_ns '' <<<"link set vx100 address $host_mac"
	in_ns remote <<-END
		link add pod0 type dummy
		link set pod0 up
		address add $remote_ip/32 dev pod0
		address add $remote_ip6/128 dev pod0 nodad
		address add 10.244.1.0/32 dev vx100
		neighbor replace 10.244.0.0 lladdr $host_mac dev vx100
		neighbor replace fd00:244::1 lladdr $host_mac dev vx100
		route add 10.244.0.0/24 via 10.244.0.0 dev vx100 onlink src $remote_ip
		route add fd00:244::/64 via fd00:244::1 dev vx100 onlink src $remote_ip6
	END
	in_ns '' <<-END
		address add 10.244.0.0/32 dev vx100
		neighbor replace 10.244.1.0 lladdr $remote_mac dev vx100
		neighbor replace fd00:244:1::1 lladdr $remote_mac dev vx100
		route add 10.244.1.0/24 via 10.244.1.0 dev vx100 onlink
		route add fd00:244:1::/64 via fd00:244:1::1 dev vx100 onlink
	END
	echo 1 >/proc/sys/net/ipv4/ip_forward
	echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
}

# overlay_routed: as flannel does it: the VXLAN device routes to a bridge.
overlay_routed() { together make_overlay_routed; }

make_overlay_routed() {
	routed_remote
	container c1 17
	in_ns '' <<-END
		link add cni0 type bridge
		link set c1h master cni0
		link set cni0 up
		address add 10.244.0.1/24 dev cni0
		address add fd00:244::1/64 dev cni0 nodad
	END
	in_ns c1 <<-END
		address add $c1_ip/24 dev eth0
		address add $c1_ip6/64 dev eth0 nodad
		route add default via 10.244.0.1
		route add default via fd00:244::1
	END
}

# overlay_veth: as Calico does it: the VXLAN device routes to each container.
overlay_veth() { together make_overlay_veth; }

make_overlay_veth() {
	local mac=ee:ee:ee:ee:ee:ee

	routed_remote
	container c1 17
	in_ns '' <<-END
		link set c1h address $mac
		route add $c1_ip/32 dev c1h
		route add $c1_ip6/128 dev c1h
		neighbor replace $c1_ip lladdr 02:00:00:00:00:11 dev c1h
		neighbor replace $c1_ip6 lladdr 02:00:00:00:00:11 dev c1h
	END
	in_ns c1 <<-END
		address add $c1_ip/32 dev eth0
		address add $c1_ip6/128 dev eth0 nodad
		neighbor replace 169.254.1.1 lladdr $mac dev eth0
		neighbor replace fe80::1 lladdr $mac dev eth0
		route add default via 169.254.1.1 dev eth0 onlink
		route add default via fe80::1 dev eth0 onlink
	END
}

# clean: takes down what tests build, whatever it was, and forgets the rules.
clean() {
	local dir name _

	if loaded; then
		mode off
		echo 0 >"$PRISM"/isolate
		echo high >"$PRISM"/accelerate
		echo 0 >"$PRISM"/receiver_slice_us
		remove_rules
		[ ! -e "$PRISM"/devices ] || echo auto >"$PRISM"/devices
	fi
	trace_remove
	# While the NIC is up: the kernel waits for ever for the thread of one that is down.
	echo 0 >/sys/class/net/nic0/threaded
	if [ -e "$gro_is_off" ]; then
		nic_gro on
	fi
	if [ -n "$cable_pid" ]; then
		kill "$cable_pid" && wait "$cable_pid"
		cable_pid=
	fi
	for dir in /sys/class/net/*; do
		remove_link "${dir##*/}"
	done >"$clean_commands"
	echo "link del group 9" >>"$clean_commands"
	for dir in /run/netns/*; do
		name=${dir##*/}
		[ "$name" = remote ] || [ "$name" = '*' ] || echo "netns del $name"
	done >>"$clean_commands"
	ip -force -batch "$clean_commands" 2>/dev/null
	while IFS=': ' read -r _ name _; do
		remove_link "${name%%@*}"
	done < <(ip -n remote -o link) >"$clean_commands"
	echo "link del group 9" >>"$clean_commands"
	ip -n remote -force -batch "$clean_commands" 2>/dev/null
	if [ -e "$has_ruleset" ]; then
		nft flush ruleset
		rm "$has_ruleset"
	fi
	echo 0 >/proc/sys/net/ipv4/ip_forward
	echo 0 >/proc/sys/net/ipv6/conf/all/forwarding
}

# remove_link NAME: the commands that put this device among those to be removed
# at once, or take the NIC down.
remove_link() {
	case $1 in
	lo | sit0 | tunl0 | ip6tnl0) ;;
	nic*) printf '%s\n' "link set $1 nomaster" "link set $1 down" "address flush dev $1" ;;
	*) echo "link set $1 group 9" ;;
	esac
}
clean_commands=/run/selftests.clean

# nic_gro on|off: GRO of nic0; `clean` turns it on again.
gro_is_off=/run/selftests.gro-is-off
nic_gro() {
	ethtool -K nic0 gro "$1"
	: >"$gro_is_off"
	[ "$1" = off ] || rm "$gro_is_off"
}

# nft ARG...: `clean` flushes the host's ruleset.
has_ruleset=/run/selftests.has-ruleset
nft() {
	: >"$has_ruleset"
	command nft "$@"
}
