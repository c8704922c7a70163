#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# prismctl tells what becomes of the packets of a flow, and leaves nothing behind.

. "${0%/*}/../lib.sh"
trap ended_early EXIT

dir=/run/selftests.prismctl_trace
rm -rf $dir
mkdir $dir
instances=/sys/kernel/tracing/instances

# start ARG...: has packets told, until `finish_trace`.
start() {
	"$SELFTESTS"/bin/prismctl "$@" >$dir/out 2>$dir/complaint &
	tracer=$!
	wait_for 5 is_on || fail "prismctl $* looks at packets" "$(<$dir/complaint)"
}
is_on() { [ "$(cat $instances/prismctl-$tracer/events/prism/enable 2>/dev/null)" = 1 ]; }

# has_told PACKETS: whether it has told of so many.
has_told() { [ "$(grep -c '^[0-9]' $dir/out)" -ge "$1" ]; }

# finish_trace [SIGNAL]: ends it. Its status is in REPLY.
finish_trace() {
	[ $# = 0 ] || kill "-$1" $tracer
	REPLY=0
	wait $tracer || REPLY=$?
}

is_one_there() { [ -e "$(echo $instances/prismctl-*)" ]; }

is_nothing_left() { [ "$(cd $instances && echo prismctl-*)" = 'prismctl-*' ]; }

nothing_left() { equal "$1: nothing is left behind" "$(cd $instances && echo prismctl-*)" 'prismctl-*'; }

underlay
overlay_bridge
high flow vni=100 protocol=udp "destination=$c1_ip" destination_port=5001-5009
mode sync
udp4 --count 3
udp6 --count 3

# By fields, until a number of packets.
start trace vni=100 "destination=$c1_ip" destination_port=5001 protocol=udp --count 10
udp4 --count 20 --port 5002
udp4 --count 10
finish_trace
equal "it ends after so many packets" "$REPLY $(grep -c '^[0-9]' $dir/out)" "0 10" "$(<$dir/complaint)"
equal "no other flow is told of" "$(grep '^[0-9]' $dir/out | grep -vc "> $c1_ip:5001 udp, vni 100\$")" 0 "$(<$dir/out)"
equal "each is classified" "$(grep -c 'us  rule flow, class high; [0-9]* bytes from nic0' $dir/out)" 10 "$(<$dir/out)"
equal "each is received by the tunnel's device" "$(grep -c 'is received by the VXLAN device vx100 (sync)' $dir/out)" 10
equal "and in the container" "$(grep -c 'is received in the container, by eth0 (sync)' $dir/out)" 10
nothing_left "at its end"

# By the name of a rule, until a signal; why packets are handed back.
for signal in INT TERM HUP QUIT; do
	start trace flow
	udp4 --count 5 --tap :c1h
	wait_for 5 has_told 5
	finish_trace $signal
	equal "SIG$signal ends it well" "$REPLY" 0
	equal "it was told why: SIG$signal" \
		"$(grep -c 'left to the kernel in front of the container: kernel_tap: a packet socket there' $dir/out)" 5 "$(<$dir/out)"
	nothing_left "SIG$signal"
done

# As JSON; IPv6; for some time.
start --json trace "destination=${c1_ip6%::*}::/64" protocol=udp --seconds 2
udp6 --count 5 --port 5005
udp4 --count 5
finish_trace
equal "JSON has a line for each packet" "$REPLY $(wc -l <$dir/out)" "0 5" "$(<$dir/out)"
equal "with what was told" "$(jq -r '"\(.destination) \(.vni) \(.protocol) \(.stages[0].event) \(.stages[0].class)"' $dir/out | sort -u)" \
	"[$c1_ip6]:5005 100 17 classify normal"
nothing_left "after some time"

# Seconds that no clock can tell.
start trace flow --count 1 --seconds 18446744073709551615
udp4 --count 1
finish_trace
equal "for ever, it ends at its count" "$REPLY $(wc -c <$dir/complaint)" "0 0" "$(<$dir/complaint)"
nothing_left "for ever"

# Who reads no more, with nothing to be told.
exec 7< <(exec "$SELFTESTS"/bin/prismctl trace protocol=132 2>/dev/null)
check "one that is read goes on" wait_for 5 is_one_there
exec 7<&-
check "an output that is closed ends it" wait_for 5 is_nothing_left

# Killed, it leaves its instance, which the next one takes away.
start trace flow
kill -KILL $tracer
wait $tracer 2>/dev/null
equal "killed, it leaves its instance" "$(cd $instances && echo prismctl-*)" "prismctl-$tracer"
start trace flow --seconds 1
finish_trace
nothing_left "the next one"

# What cannot be.
refuses() {
	local what=$1 pattern=$2 status=0 out
	shift 2

	out=$("$SELFTESTS"/bin/prismctl "$@" 2>&1) || status=$?
	equal "$what: the status" "$status" 2
	matches "$what is told" "$out" "$pattern"
	nothing_left "$what"
}
refuses "a rule that is not there" 'there is no rule none' trace none
refuses "a field that is none" 'no field is called "port"' trace port=3 vni=1
refuses "a bad value" 'vni: expected any, none or a VNI' trace vni=x
refuses "what tells no flows apart" 'tell no flows apart' trace vni=1 class=high
out=$(setpriv --reuid 65534 --regid 65534 --clear-groups "$SELFTESTS"/bin/prismctl trace vni=1 2>&1)
matches "others may not" "$out" 'only root may do that'
umount /sys/kernel/tracing
refuses_mount=$("$SELFTESTS"/bin/prismctl trace vni=1 2>&1)
mount -t tracefs none /sys/kernel/tracing
matches "without tracefs" "$refuses_mount" 'mount -t tracefs none /sys/kernel/tracing'
finish
