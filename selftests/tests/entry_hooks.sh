#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A device that hands its frames to GRO has them met there: its ingress hook, which
# keeps packets from the short way and costs each a call, goes whatever changed.

. "${0%/*}/../lib.sh"
trap ended_early EXIT

has_ingress() { ! has_no_ingress "$1"; }

# goes DESCRIPTION [DEVICE]: the hook goes, as frames come.
goes() { check "$1: the ingress hook goes" wait_for 20 has_no_ingress "${2:-nic0}"; }

underlay
overlay_bridge
high_flows 100

mode sync
udp4 --count 5
goes "the first frames"

background flow udp --from remote --to c1 --source "$remote_ip" --destination "$c1_ip" --count 0 --window 24
scale 24 8
for ((n = 0; n < REPLY; n++)); do
	mode off
	mode sync
	goes "mode sync while frames come"
done

echo nic0 >"$PRISM"/devices
goes "devices by name"
echo auto >"$PRISM"/devices
goes "all devices again"

# A device that is up can be renamed since 6.2.
ip link set nic0 name nic0x
goes "another name" nic0x
ip link set nic0x name nic0
goes "its name again"

nic_gro off
check "without GRO the hook is there" wait_for 5 has_ingress nic0
counters
delivers 5
counted
at_least "and meets the frames" "${delta[completed]}" 5
nic_gro on
goes "with GRO again"
ended flow
arrived "the flow meanwhile" any-order
finish
