#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The time slice of those who receive packets of class high: short while packets
# come, their own before and after.

. "${0%/*}/../lib.sh"
trap ended_early EXIT

# slice PID: in ns.
slice() { chrt --pid "$1" | sed -n 's/.*runtime parameter: //p'; }

has_slice() { [ "$(slice "$1")" = "$2" ]; }

# receiver PORT ARG...: a program in the container that waits for datagrams, in
# `pid`.
receiver() {
	local port=$1
	shift

	ip netns exec c1 "$@" &
	pid=$!
	wait_for 10 bound "$port"
}

bound() { ip netns exec c1 ss -Hlun "sport = :$1" | grep -q .; }

# datagrams PORT COUNT: one at a time.
datagrams() {
	ip netns exec remote bash -c "
		for ((n = 0; n < $2; n++)); do
			echo \$n >/dev/udp/$c1_ip/$1
			sleep 0.02
		done"
}

# steady PORT, steady_ends: some all the time.
steady() {
	ip netns exec remote bash -c "
		while echo x >/dev/udp/$c1_ip/$1; do
			sleep 0.1
		done" &
	steady_pid=$!
}

steady_ends() {
	kill "$steady_pid"
	wait "$steady_pid" 2>/dev/null
}

told_of() { [ "$(<"$PRISM/receivers")" = "$1" ]; }

underlay
overlay_bridge
high flow vni=100 protocol=udp destination_port=5001
rule other vni=100 protocol=udp destination_port=5002 class=normal
receiver 5001 socat -u UDP-RECV:5001 /dev/null
high_pid=$pid
receiver 5002 socat -u UDP-RECV:5002 /dev/null
other_pid=$pid
own=$(slice "$high_pid")
at_least "a task has a time slice" "$own" 200000

for mode in sync express batch; do
	mode $mode
	counters
	datagrams 5001 5
	counted
	equal "$mode: the knob is off" "$(<"$PRISM/receiver_slice_us") ${delta[woken]}" "0 0"
	equal "$mode: nobody's slice is changed" "$(slice "$high_pid") $(<"$PRISM/receivers")" "$own 0"

	knob receiver_slice_us 100
	counters
	datagrams 5002 5
	datagrams 5001 5
	counted
	equal "$mode: each of its packets woke it" "${delta[woken]}" 5
	# As long as packets come, since to look takes longer than a slice is left short on a slow kernel.
	steady 5001
	check "$mode: one receiver is told of" wait_for 5 told_of 1
	check "$mode: it has a short slice" wait_for 5 has_slice "$high_pid" 100000
	equal "$mode: who receives other packets has not" "$(slice "$other_pid")" "$own"
	steady_ends
	check "$mode: it ends by itself" wait_for 10 has_slice "$high_pid" "$own"
	equal "$mode: nobody is told of" "$(<"$PRISM/receivers")" 0

	steady 5001
	check "$mode: it begins again" wait_for 5 has_slice "$high_pid" 100000
	knob receiver_slice_us 0
	check "$mode: it ends with the knob" wait_for 2 has_slice "$high_pid" "$own"
	steady_ends
done
mode sync

# Changed while it lasts.
knob receiver_slice_us 100
steady 5001
check "the slice is short" wait_for 5 has_slice "$high_pid" 100000
knob receiver_slice_us 300
check "the slice is as short as the knob says" wait_for 5 has_slice "$high_pid" 300000
steady_ends
check "it ends by itself" wait_for 10 has_slice "$high_pid" "$own"

# What a user has chosen.
chrt --other --sched-runtime 5000000 --pid 0 "$high_pid"
datagrams 5001 3
pause 0.3
equal "a slice that a user has chosen is left alone" "$(slice "$high_pid") $(<"$PRISM/receivers")" "5000000 0"
chrt --idle --pid 0 "$high_pid"
datagrams 5001 3
pause 0.3
equal "a task of another policy is left alone" "$(<"$PRISM/receivers")" 0
chrt --other --pid 0 "$high_pid"
wait_for 10 has_slice "$high_pid" "$own"
pause 1.5
steady 5001
check "its own slice again, and shortened" wait_for 5 has_slice "$high_pid" 300000
steady_ends
chrt --other --sched-runtime 7000000 --pid 0 "$high_pid"
pause 2.5
equal "one that a user chooses meanwhile stays" "$(slice "$high_pid")" 7000000
kill "$high_pid"
wait "$high_pid"

# A receiver that makes a process for each datagram.
receiver 5001 socat -u UDP-RECVFROM:5001,fork SYSTEM:'echo $$ >/run/child; exec sleep 30'
high_pid=$pid
rm -f /run/child
datagrams 5001 3
check "the receiver makes processes" wait_for 5 test -s /run/child
read -r child </run/child
steady 5001
# It is to be found waiting, which it seldom is where processes take long to make.
check "the receiver has a short slice" wait_for 20 has_slice "$high_pid" 300000
steady_ends
check "a child has its own slice in the end" wait_for 10 has_slice "$child" "$own"
check "the receiver, too" wait_for 10 has_slice "$high_pid" "$own"

# A receiver that ends.
datagrams 5001 3
pkill -P "$high_pid"
kill "$high_pid"
wait "$high_pid"
check "who has ended is forgotten" wait_for 5 told_of 0

# The module goes while slices are short.
receiver 5001 socat -u UDP-RECV:5001 /dev/null
high_pid=$pid
steady 5001
check "the slice is short" wait_for 5 has_slice "$high_pid" 300000
steady_ends
remove_rules
check "the module unloads" rmmod prism
equal "the slice is the task's own" "$(slice "$high_pid")" "$own"
insmod "$SELFTESTS/../prism.ko"
equal "the knob is off" "$(<"$PRISM/receiver_slice_us")" 0

for value in 1 99 100001 -1 +200 0x64 '' sync 4294967396; do
	equal "'$value' is refused" "$(errno write "$PRISM/receiver_slice_us" "$value")" EINVAL
done
equal "the knob is as it was" "$(<"$PRISM/receiver_slice_us")" 0
equal "the number of receivers is read-only" "$(errno write "$PRISM/receivers" 1)" EACCES
kill "$high_pid" "$other_pid"
finish
