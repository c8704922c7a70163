#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The counters of each CPU, in debugfs: together they are those of sysfs.

. "${0%/*}/../lib.sh"
trap ended_early EXIT

table=/sys/kernel/debug/prism/counters

# sums_of_cpus: each counter, all CPUs together.
sums_of_cpus() {
	awk 'NR > 1 { sum = 0; for (i = 2; i <= NF; i++) sum += $i; print $1, sum }' $table | LC_ALL=C sort
}

# in_sysfs: the same from the counters' files.
in_sysfs() {
	local file count

	for file in "$PRISM"/stats/*; do
		read -r count <"$file"
		echo "${file##*/} $count"
	done | LC_ALL=C sort
}

is_the_same() { [ "$(sums_of_cpus)" = "$(in_sysfs)" ]; }

underlay
overlay_bridge
high flow vni=100 protocol=udp destination_port=5001
mode sync
udp4 --count 40
isolate 1
udp4 --count 20 --port 5002
arrived "what counts"
isolate 0

# Some count what comes by itself meanwhile.
check "the CPUs' counters are all that there are" wait_for 5 is_the_same
at_least "packets were counted" "$(sums_of_cpus | sed -n 's/^delivered //p')" 40
read -r heading <$table
expected=counter
IFS=- read -r first last </sys/devices/system/cpu/possible
for ((cpu = first; cpu <= ${last:-$first}; cpu++)); do
	expected+=" cpu$cpu"
done
equal "each CPU that there may be has a column" "$heading" "$expected"
equal "each line has them all" "$(awk '{ print NF }' $table | sort -u)" "$(wc -w <<<"$expected")"

# A packet counts on the CPU that the NIC interrupts.
before_each=$(grep '^delivered ' $table)
read -r delivered <"$PRISM"/stats/delivered
interrupt
read -r receiver </proc/irq/"$REPLY"/effective_affinity_list
udp4 --count 30
arrived "what counts on one CPU"
is_counted() { [ $(($(<"$PRISM"/stats/delivered) - delivered)) = 30 ]; }
check "each is counted" wait_for 5 is_counted
each=$(paste -d' ' <(tr ' ' '\n' <<<"$before_each") <(grep '^delivered ' $table | tr ' ' '\n') |
	awk 'NR > 1 && $1 != $2 { print NR - 2, $2 - $1 }')
equal "on the CPU that received it" "$each" "$receiver 30"
matches "nobody writes them" "$(errno write $table 0)" 'EACCES|EINVAL'
equal "others do not read them" "$(setpriv --reuid 65534 --clear-groups cat $table 2>/dev/null)" ""
finish
