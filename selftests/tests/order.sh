#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Whatever is switched while flows go on, each of them stays in order, and nothing
# of it is lost.

. "${0%/*}/../lib.sh"
trap ended_early EXIT

classes=(high interactive normal bulk)
modes=(off batch sync express)

# change: something, at random.
change() {
	case $((RANDOM % 10)) in
	0 | 1 | 2)
		pick "${modes[@]}"
		mode "$REPLY"
		;;
	3 | 4) isolate $((RANDOM % 2)) ;;
	5)
		pick "${classes[@]}"
		knob accelerate "$REPLY"
		;;
	6) knob quantum $((1 + RANDOM % 64)) ;;
	7)
		pick interactive normal bulk
		knob weight_"$REPLY" $((1 + RANDOM % 8))
		;;
	8)
		pick 1 20 90 100
		knob high_share "$REPLY"
		;;
	*)
		pick four six tcp
		reclass "$REPLY"
		;;
	esac
}

# reclass RULE: gives it another class, or takes it away for a while.
reclass() {
	local dir=$RULES/$1

	echo 0 >"$dir"/enabled
	pick "${classes[@]}"
	echo "$REPLY" >"$dir"/class
	[ $((RANDOM % 4)) = 0 ] || echo 1 >"$dir"/enabled
}

underlay
overlay_bridge
# Less is under way than the NIC's ring holds: where QEMU has to queue packets for a
# ring that is full, it lets the next one go first once there is room.
ip netns exec c1 sysctl -qw net.ipv4.tcp_rmem="4096 65536 65536"
udp4 --count 3
udp6 --count 3
high four vni=100 protocol=udp "destination=$c1_ip"
high six vni=100 protocol=udp "destination=$c1_ip6"
high tcp vni=100 protocol=tcp
# Stays, so that there is always a rule.
high other vni=101

seeded ORDER_SEED
# However long something takes, no more than the windows is under way.
background four udp --from remote --to c1 --source "$remote_ip" --destination "$c1_ip" --count 0 --window 100 \
	--patience 30000
background six udp --from remote --to c1 --source "$remote_ip6" --destination "$c1_ip6" --port 5002 --count 0 --window 4 \
	--sizes 0-40,1000 --patience 30000
background tcp tcp --from remote --to c1 --destination "$c1_ip" --port 5004 --endless
counters
scale 1000 150
for ((i = 0; i < REPLY; i++)); do
	count=$REPLY
	change
	REPLY=$count
	pause 0.0$((RANDOM % 5))
done
counted
for flow in four six; do
	ended $flow
	equal "flow $flow: nothing is lost, doubled, changed or overtaken" \
		"${got[lost]-} ${got[duplicate]-} ${got[corrupt]-} ${got[reordered]-}" "0 0 0 0" "$report"
	at_least "flow $flow: there was much" "${got[received]-0}" 300
done
equal "TCP goes on" "$(running tcp && echo yes)" yes
ended tcp
equal "TCP is intact" "${got[lost]-}" 0 "$report"
# What else there was is a matter of chance.
for counter in held completed; do
	at_least "something was $counter" "${delta[$counter]}" 1
done
moved
note "$REPLY"
equal "nothing was dropped" "${delta[dropped_held]} ${delta[dropped_high]} ${delta[purged]}" "0 0 0"
check "all that waited were served" wait_for 5 reconciles
restore_knobs
isolate 0

# A packet socket in front of the container comes and goes in the middle of polls. Meanwhile the kernel
# queues what is sent there, and what comes next must not pass it by.
remove_rules
high four vni=100 protocol=udp "destination=$c1_ip"
for mode in sync express; do
	mode $mode
	background four udp --from remote --to c1 --source "$remote_ip" --destination "$c1_ip" --count 0 --window 100 \
		--patience 30000
	counters
	scale 300 100
	# That it goes in the middle of a poll is a matter of chance.
	for ((tries = 0; tries < 10; tries++)); do
		wire sniff --tap :c1h --flips "$REPLY"
		equal "mode $mode: a packet socket comes and goes" "${got[done]-}" "$REPLY"
		counted
		[ "${delta[kernel_behind]}" = 0 ] || break
	done
	ended four
	equal "mode $mode, a socket comes and goes: nothing is lost, doubled, changed or overtaken" \
		"${got[lost]-} ${got[duplicate]-} ${got[corrupt]-} ${got[reordered]-}" "0 0 0 0" "$report"
	ways=(kernel_tap delivered)
	[ "$mode" != express ] || ways=(kernel_tap)
	[ "$mode" != express ] || kept_long || ways+=(expressed)
	# With one CPU nothing goes in the middle of a poll.
	[ "$(nproc)" = 1 ] || ways+=(kernel_behind)
	for counter in "${ways[@]}"; do
		at_least "mode $mode, a socket comes and goes: some are $counter" "${delta[$counter]}" 1
	done
done
mode off
finish
