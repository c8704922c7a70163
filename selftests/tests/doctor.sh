#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# prismctl doctor finds what is made to be wrong, and what it says mends it.

. "${0%/*}/../lib.sh"
trap ended_early EXIT

# finds DESCRIPTION SEVERITY TEXT [SECONDS]: the first such finding is in `finding`.
finds() {
	local found

	found=$("$SELFTESTS"/bin/prismctl doctor --json --wait "${4:-1}" 2>&1)
	finding=$(jq -c --arg severity "$2" --arg text "$3" \
		'[.[] | select(.severity == $severity and (.what | contains($text)))][0] // empty' <<<"$found")
	check "$1" [ -n "$finding" ]
	[ -n "$finding" ] || note "$found"
}

# finds_not DESCRIPTION TEXT
finds_not() {
	local found

	found=$("$SELFTESTS"/bin/prismctl doctor --json --wait 1 2>&1)
	equal "$1" "$(jq --arg text "$2" '[.[] | select(.severity != "earlier" and (.what | contains($text)))] | length' <<<"$found")" 0 "$found"
}

# mend NUMBER: what the finding has as its command of that number, from 0 on.
mend() { bash -c "$(jq -r ".commands[$1]" <<<"$finding")"; }

underlay
overlay_bridge
finds_not "a good host has no RPS" "RPS is on"

echo 1 >/sys/class/net/nic0/queues/rx-0/rps_cpus
finds "RPS is found" setting "RPS is on for nic0"
mend 0
finds_not "its command turns it off" "RPS is on"

# No room for what comes.
backlog=$(</proc/sys/net/core/netdev_max_backlog)
flow=(--from remote --to c1 --source "$remote_ip" --destination "$c1_ip" --count 0 --patience 20)
ip netns exec remote ping -q -i 0.01 "$c1_ip" >/dev/null &
flood=$!
echo 0 >/proc/sys/net/core/netdev_max_backlog
finds "drops of the backlog or the overlay's queue are found" now "packets were dropped" 3
matches "and what to do" "$finding" "prismctl mode sync"
mend 1
at_least "its command makes room" "$(</proc/sys/net/core/netdev_max_backlog)" 1000
finds_not "they are over then" "packets were dropped in front of containers"
kill $flood

# A sender that computes no checksum behind what changes the payload. A container has a
# process, which it is found by.
ip netns exec c1 sleep 300 &
container=$!
ip netns exec remote ethtool -K vx100 tx off >/dev/null
background broken udp "${flow[@]}" --window 4 --sizes 200
ip netns exec remote tc qdisc add dev vx100 clsact
ip netns exec remote tc filter add dev vx100 egress protocol ip u32 match ip protocol 17 0xff \
	action pedit munge offset 60 u8 invert
finds "wrong checksums are found" now "with a wrong checksum"
matches "and how to have them computed" "$finding" "ethtool -K vx100 tx-checksum-ip-generic off"
ip netns exec remote tc qdisc del dev vx100 clsact
finds_not "they are over then" "with a wrong checksum"
ended broken
kill $container

# As Docker has it: the overlay's device is where no process is.
clean
underlay
overlay_bridge_in_netns
udp4 --count 3
background many udp "${flow[@]}" --window 60
echo 0 >/proc/sys/net/core/netdev_max_backlog
finds "drops in a namespace without processes are found" now \
	"packets were dropped by the overlay's device vx100 of /run/netns/overlay" 3
mend 1
finds_not "its command mends it" "dropped by the overlay's device"
ended many
echo "$backlog" >/proc/sys/net/core/netdev_max_backlog

finds_not "root may look everywhere" "not looked"
found=$(setpriv --reuid 65534 --regid 65534 --clear-groups "$SELFTESTS"/bin/prismctl doctor --json --wait 1 2>&1)
matches "others are told that they may not" "$(jq -c '[.[] | select(.severity == "unseen")][0]' <<<"$found")" \
	'processes were not looked at: only root may\..*sudo prismctl doctor'

text=$(COLUMNS=80 "$SELFTESTS"/bin/prismctl doctor --wait 1)
matches "what was is told" "$text" "(^|"$'\n'")earlier"
# Commands are to be copied, however long they are.
at_most "in 80 columns" "$(grep -v '^ \{13\}' <<<"$text" | wc -L)" 80
finish
