#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The kernel has no memory for packets, again and again, while they are under way: some
# are lost, and all others arrive intact, in order and once.

. "${0%/*}/../lib.sh"
. "${0%/*}/../lib/faults.sh"
faults_ready

# What cannot wait for memory, which is the packet path, gets none. At most so many times each.
times=1000
packets_fail() {
	local name

	for name in failslab fail_page_alloc; do
		fault_attribute $name ignore-gfp-wait Y
		fault_attribute $name times $times
		fault_attribute $name probability "$1"
	done
}

# failed: how often there was none, in REPLY.
failed() {
	local slab pages

	read -r slab <"$debugfs"/failslab/times
	read -r pages <"$debugfs"/fail_page_alloc/times
	REPLY=$((2 * times - slab - pages))
}

enough_failed() {
	failed
	[ "$REPLY" -ge "$enough" ]
}

# Of each flow.
flow=()

# intact NAME DESCRIPTION: of that flow, which ends, datagrams may be lost and nothing else.
intact() {
	ended "$1"
	equal "$2: what arrives is intact, once and in order" \
		"${got[corrupt]-} ${got[duplicate]-} ${got[reordered]-}" "0 0 0" "$report"
	at_least "$2: much arrives" "${got[received]-0}" 100 "$report"
}

# Bytes of TCP that are much, even if all of them come twice, and datagrams.
much=100000
declare -A much_of=([tcp]=$((2 * much)) [udp]=300 [other]=300) amounts
# amount FLOW: how much of it has come; the other one has no rule.
amount() {
	case $1 in
	tcp) cat "$RULES"/tcp/bytes ;;
	udp) cat "$RULES"/udp/packets ;;
	other) cat "$PRISM"/stats/unmatched ;;
	esac
}

# moves FLOW: much of it has come since `amounts`.
moves() { [ "$(amount "$1")" -ge $((amounts[$1] + much_of[$1])) ]; }

# move_on DESCRIPTION FLOW...: they do so from here on, where nothing fails any more.
move_on() {
	local what=$1 each
	shift

	for each; do
		amounts[$each]=$(amount "$each")
	done
	for each; do
		check "$what: $each moves on" wait_for 60 moves "$each"
	done
}

# under_faults DESCRIPTION: three flows, in the mode that is set.
under_faults() {
	local what=$1

	counters
	# First, as the others leave it little room.
	background tcp tcp --from remote --to c1 --destination "$c1_ip" --port 5003 --endless
	background high udp "${flow[@]}"
	background other udp "${flow[@]}" --source-port 41000 --port 5002
	packets_fail 20
	wait_for 60 enough_failed
	failed
	packets_fail 0
	note "$what: $REPLY allocations failed"
	at_least "$what: allocations fail" "$REPLY" "$enough"
	move_on "$what" udp other
	equal "$what: nothing hangs" "$(running high && running other && running tcp && echo yes)" yes
	intact high "$what: the flow of class high"
	intact other "$what: the other flow"
	move_on "$what" tcp
	ended tcp
	equal "$what: TCP is intact" "${got[lost]-}" 0 "$report"
	at_least "$what: TCP goes on" "${got[up]-0}" $much "$report"
	check "$what: the counters reconcile" wait_for 5 reconciles
	counted
	at_least "$what: packets run to completion" "${delta[completed]}" 100
	udp4 --count 3
	udp4 --count 30
	arrived "$what: afterwards"
}

# fail_near FIRST LAST SECONDS: of the allocations that cannot wait, each fails of those that
# the code between those addresses needs. How many did, in REPLY.
fail_near() {
	# From the code to the slab allocator.
	only_from 8 "$1" "$2" failslab fail_page_alloc
	packets_fail 100
	pause "$3"
	failed
	packets_fail 0
	from_anywhere
}

# needs_no_memory DESCRIPTION: the module itself, for a packet.
needs_no_memory() {
	local what=$1 own

	background own udp "${flow[@]}"
	own_code
	# The VXLAN driver has something to learn once a second.
	# shellcheck disable=SC2086
	fail_near $REPLY 2.5
	own=$REPLY
	ended own
	equal "$what: the module itself needs no memory" "$own" 0 "$report"
}

# callers_are_told: what needs_no_memory says is worth something.
callers_are_told() {
	background tcp tcp --from remote --to c1 --destination "$c1_ip" --port 5003 --endless
	code_of __tcp_send_ack
	# shellcheck disable=SC2086
	fail_near $REPLY 0.5
	at_least "of TCP's acknowledgements, allocations fail" "$REPLY" 1
	ended tcp
}

# in_all_modes UNDERLAY
in_all_modes() {
	local mode

	flow=(--from remote --to c1 --source "$remote_ip" --destination "$c1_ip" --count 0
		--window 24 --patience 400 --sizes "50,1000")
	high udp vni=100 protocol=udp destination_port=5001
	high tcp vni=100 protocol=tcp
	for mode in sync batch express; do
		mode $mode
		under_faults "$1, mode $mode"
		! tells_callers || needs_no_memory "$1, mode $mode"
	done
	isolate 1
	under_faults "$1, mode express with isolation"
	knob accelerate bulk
	mode sync
	under_faults "$1, mode sync with isolation for all"
	restore_knobs
	isolate 0
}

scale 50 50 400
enough=$REPLY
underlay
overlay_bridge
in_all_modes "NIC"
! tells_callers || callers_are_told
clean
# Their headers have to be pulled out of fragments.
underlay tap-fragments
echo tap0 >"$PRISM"/devices
overlay_bridge
in_all_modes "fragments"
faults_over
finish
