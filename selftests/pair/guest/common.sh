# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
#
# What both guests share: the addresses, and how a guest becomes a
# container host. A container is a network namespace on a bridge; the bridge's
# other port is a VXLAN device, whose tunnel is the link to the other guest.

set -u

PAIR=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
PRISM=/sys/kernel/prism
RULES=/sys/kernel/config/prism/rules
VNI=${VNI:-42}

# The hosts' own network, and the containers'.
server_host=192.168.42.1 client_host=192.168.42.2 control_port=7000
server_mac=52:54:00:00:2a:01 client_mac=52:54:00:00:2a:02
declare -A address=(
	[memcached]=10.42.0.11 [nginx]=10.42.0.12 [echo]=10.42.0.13 [neighbour]=10.42.0.14
	[clients]=10.42.0.21 [bulk]=10.42.0.22
	[host_echo]=$server_host [host_neighbour]=$server_host
)
declare -A port=(
	[memcached]=11211 [nginx]=80 [echo]=11111 [neighbour]=11112 [neighbour_tcp]=11113
	[host_echo]=11111 [host_neighbour]=11112
)
export PRISM RULES VNI control_port

# Lines that the host's side reads: what goes on, and what went wrong, which is told where
# output goes nowhere, too.
step() { echo "step $*"; }
die() { echo "error $*" >&"${told:-1}"; exit 1; }

# mac_of CONTAINER
mac_of() { printf '02:42:0a:2a:00:%02x' "${address[$1]##*.}"; }

# in_container NAME COMMAND...
in_container() { ip netns exec "$@"; }

# underlay DEVICE ADDRESS MAC [NAMESPACE]: the host's NIC. All receive work of
# a guest is on its first processor, as the paper has it.
underlay() {
	local irq

	# With a user the kernel's keys for hooks stay on: where they are turned as packets come,
	# QEMU may have a CPU run a breakpoint that has gone, and the kernel dies of it.
	tc qdisc replace dev lo clsact || die "lo can have no clsact"
	ip ${4:+-n "$4"} -batch - <<-END || die "the NIC $1 cannot be set up"
		link set $1 address $3
		link set $1 up
		address add $2/24 dev $1
	END
	while read -r irq; do
		echo 1 >"/proc/irq/$irq/smp_affinity" || :
	done < <(sed -n 's/^ *\([0-9]*\):.*virtio[0-9]*-\(input\|output\).*/\1/p' /proc/interrupts)
}

# overlay DEVICE LOCAL REMOTE: the bridge and its way to the other host.
overlay() {
	modprobe -a vxlan bridge veth || die "the kernel lacks vxlan, bridge or veth"
	ip -batch - <<-END || die "the overlay cannot be set up"
		link add br0 type bridge
		link add vxlan0 type vxlan id $VNI dstport 4789 local $2 remote $3 dev $1
		link set vxlan0 master br0 up
		link set br0 up
	END
}

# container NAME
container() {
	ip netns add "$1"
	ip -batch - <<-END || die "the container $1 cannot be set up"
		link add $1 type veth peer name eth0 netns $1
		link set $1 master br0 up
	END
	ip -n "$1" -batch - <<-END || die "the container $1 cannot be set up"
		link set lo up
		link set eth0 address $(mac_of "$1") mtu 1450 up
		address add ${address[$1]}/24 dev eth0
	END
}

# wait_for SECONDS COMMAND...: until it succeeds. Only that it died is of interest of its output.
wait_for() {
	local until=$((SECONDS + $1)) told=${told-} opened='' rc=0
	shift

	[ -n "$told" ] || { exec {told}>&1; opened=1; }
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $until ] || { rc=1; break; }
		sleep 0.2
	done
	[ -z "$opened" ] || exec {told}>&-
	return $rc
}
