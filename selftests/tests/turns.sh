#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What waits on a CPU has its turns on that CPU, wherever hooks are taken away or a
# device goes: another CPU does not know what came before.

. "${0%/*}/../lib.sh"
trap ended_early EXIT

# The polls of the module's own instances.
polls=/run/selftests.polls

# polled_elsewhere: the instances of the module's own that more than one CPU has
# polled.
polled_elsewhere() {
	awk '
	$0 ~ /napi struct/ {
		match($0, /\[[0-9]+\]/)
		cpu = substr($0, RSTART, RLENGTH)
		match($0, /napi struct [0-9a-f]+ for device prism_[a-z]+/)
		if (RLENGTH < 0) next
		instance = substr($0, RSTART + 12, RLENGTH - 12)
		if (instance in at && at[instance] != cpu) print instance ": " at[instance] " and " cpu
		at[instance] = cpu
	}' $polls | sort -u
}

[ "$(nproc)" -gt 1 ] || skip_all "one CPU"
underlay
overlay_bridge
# As in order.sh: of what a full ring of the NIC has no room for, QEMU lets the next go first.
ip netns exec c1 sysctl -qw net.ipv4.tcp_rmem="4096 65536 65536"
high four vni=100 protocol=udp "destination=$c1_ip"
background four udp --from remote --to c1 --source "$remote_ip" --destination "$c1_ip" --count 0 --window 24
background tcp tcp --from remote --to c1 --destination "$c1_ip" --port 5004 --endless
modes=(sync batch express)
# Others are far more, and take a slow kernel long to write.
trace_on "napi:napi_poll if dev_name ~ \"prism_*\""
for kind in mode isolate device; do
	scale 18 9
	for ((i = 0; i < REPLY; i++)); do
		# Whichever CPU the packets come to, this is the other one half of the time.
		taskset -pc $((i % 2)) $$ >/dev/null
		case $kind in
		mode)
			mode "${modes[i % 3]}"
			pause "$gate_opens"
			mode off
			;;
		isolate)
			isolate 1
			pause "$gate_opens"
			isolate 0
			;;
		device)
			[ $i != 0 ] || mode batch
			ip link add entry7 type dummy
			echo "nic0 entry7" >"$PRISM"/devices
			pause "$gate_opens"
			ip link del entry7
			;;
		esac
	done
done
trace_off
# The kernel writes the text anew for each who reads it.
grep 'device prism_' "$trace_dir"/trace >$polls
at_least "the gate had turns" "$(grep -c prism_gate $polls)" 20
at_least "isolation had turns" "$(grep -c prism_isolate $polls)" 20
at_least "batches had turns" "$(grep -c prism_batch $polls)" 20
equal "each instance is polled on one CPU" "$(polled_elsewhere)" ""
ended four
arrived "the flow meanwhile"
ended tcp
equal "TCP is intact" "${got[lost]-}" 0 "$report"
trace_remove
echo auto >"$PRISM"/devices
finish
