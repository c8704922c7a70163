#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# profile.sh PACKETS MODE...: sends packets one at a time to a container, inside
# a guest whose instructions between two marks are recorded: without PRISM, and
# in each mode of it, first while a rule names them, then while one names others.
# On stdout:
#   symbols                          of the kernel and its modules from here on,
#   ADDRESS TYPE NAME [MODULE]       as in /proc/kallsyms
#   column NAME                      one for each recording, in their order, then
#                                    what simnic tells of the flow
#   error WHY

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=selftests/bench/guest/topology.sh
. "$(dirname "$0")/topology.sh"

symbols() {
	echo symbols
	grep -i ' [tw] ' /proc/kallsyms
}

# send MILLISECONDS: so many packets, each when the one before is long at its
# socket.
send() {
	echo none >$nic/flows
	echo "packet rate=1000 source=$remote_inner destination=${ip[c1]} vni=100 source_mac=$remote_mac" \
		"destination_mac=${mac[c1]} outer_source=$peer_ip outer_destination=$host_ip" >$nic/flows ||
		die "the flow is refused: $(dmesg | tail -n 1)"
	echo "$1" >$nic/duration_ms
	echo 1 >$nic/running || die "no traffic: $(dmesg | tail -n 1)"
	# It begins within a tenth of a second.
	sleep "$(printf '%d.%03d' $((($1 + 130) / 1000)) $((($1 + 130) % 1000)))"
	[ "$(<$nic/running)" = 0 ] || die "packets are still under way"
}

# column NAME: records packets, once those before have made the kernel look up
# what it then keeps.
column() {
	send 30
	"$SELFTESTS/bin/mark" begin
	send "$packets"
	"$SELFTESTS/bin/mark" end
	echo "column $1"
	cat $results
}

# names CONTAINER: from here on, one rule, for packets to it.
names() {
	remove_rules
	high named vni=100 protocol=udp "destination=${ip[$1]}/32" destination_port=5001 ||
		die "no rule: $(dmesg | tail -n 1)"
}

packets=$1
shift
topology
symbols
column vanilla
for mode; do
	insmod "$SELFTESTS/prism.ko" || die "no PRISM: $(dmesg | tail -n 1)"
	case $mode in
	*-isolated) settings="mode=${mode%-*} isolate=1" ;;
	*-bulk) settings="mode=${mode%-*} isolate=1 accelerate=bulk" ;;
	*) settings="mode=$mode" ;;
	esac
	for setting in $settings; do
		echo "${setting#*=}" >"$PRISM/${setting%%=*}" || die "no $setting: $(dmesg | tail -n 1)"
	done
	symbols
	names c1
	column "$mode"
	names c2
	column "$mode,unnamed"
	remove_rules
	rmmod prism
done
topology_ends
