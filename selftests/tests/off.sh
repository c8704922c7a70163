#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Mode off, and the module gone: nothing of it is left anywhere.

. "${0%/*}/../lib.sh"
trap ended_early EXIT

# What the kernel shows of hooks, modules and files.
shown() {
	nft list hooks 2>/dev/null
	ip netns exec c1 nft list hooks 2>/dev/null
	cat /proc/net/ptype
	grep -H . /sys/module/{vxlan,veth,udp_tunnel,configfs}/refcnt
}

underlay
overlay_bridge
udp4 --count 5
rmmod prism
without=$(shown)

insmod "$SELFTESTS"/../prism.ko
high flow vni=100 protocol=udp destination_port=5001
equal "it starts in mode off" "$(<"$PRISM"/mode)" off
equal "mode off has no hooks" "$(prism_hooks)" 0
mode sync
at_least "mode sync has hooks" "$(prism_hooks)" 1
counters
udp4 --count 20
counted
arrived "with mode sync, the flow"
ran_to_completion "with mode sync" 20
mode off
equal "mode off has no hooks again" "$(prism_hooks)" 0
counters
udp4 --count 20
counted
moved
arrived "with mode off, the flow"
equal "mode off counts nothing" "$REPLY" ""

# Unloaded straight from mode sync.
mode sync
udp4 --count 20
rmdir "$RULES"/flow
check "the module goes while mode sync is on" rmmod prism
equal "all is as if it never was" "$(shown)" "$without"
equal "no file is left" "$(ls -d "$PRISM" "$CONFIG" 2>/dev/null)" ""
udp4 --count 20
arrived "without the module, the flow"

# Without what it needs it does not load, says so, and leaves nothing.
log_mark "parameters"
equal "an unknown mode of a parameter is refused" \
	"$(insmod "$SELFTESTS"/../prism.ko max_rules=many 2>&1 | grep -c Invalid)" 1
equal "nothing is left" "$(ls -d "$PRISM" "$CONFIG" 2>/dev/null)" ""
check "it loads again" insmod "$SELFTESTS"/../prism.ko max_rules=3
for n in 1 2 3; do
	mkdir "$RULES/r$n"
done
equal "no more rules than max_rules says" "$(errno mkdir "$RULES"/r4)" ENOSPC
rmdir "$RULES"/r{1,2,3}
rmmod prism

# Without the driver whose symbols it needs.
clean
if rmmod vxlan 2>/dev/null; then
	log_mark "no vxlan"
	equal "it does not load without the vxlan driver" \
		"$(insmod "$SELFTESTS"/../prism.ko 2>&1 | grep -c "Unknown symbol")" 1
	matches "the log says what is missing" "$(log_since "no vxlan")" "prism: Unknown symbol vxlan"
	equal "nothing of it is left" "$(ls -d "$PRISM" "$CONFIG" 2>/dev/null)" ""
	modprobe vxlan
else
	skip "a kernel without the vxlan driver" "it is built in"
fi
insmod "$SELFTESTS"/../prism.ko
finish
