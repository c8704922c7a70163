#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The circuit breaker: where something does not hold that always does, the module
# turns itself off, says why once, and the host keeps its network.

. "${0%/*}/../lib.sh"
trap ended_early EXIT

[ -e "$PRISM"/provoke ] || skip_all "this kernel has no fault injection"

is_broken() { [ "$(<"$PRISM"/broken)" != none ]; }
is_off() { [ "$(<"$PRISM"/mode)$(<"$PRISM"/isolate)" = off0 ]; }
said() { dmesg | grep -c 'prism: turned off: '; }
gone() { [ "$(prism_hooks)" = 0 ]; }

underlay
overlay_bridge
high flow4 vni=100 protocol=udp destination_port=5001
rule limited vni=100 protocol=udp destination_port=5002 class=high rate=20
udp4 --count 3
equal "nothing is broken" "$(<"$PRISM"/broken)" none
equal "what is not known is not provoked" "$(errno write "$PRISM"/provoke everything)" EINVAL
equal "nothing else can be written to broken" "$(errno write "$PRISM"/broken all)" EINVAL

# traffic: of both rules, and of none.
traffic() {
	udp4 --count 60
	udp4 --count 60 --port 5002
	udp4 --count 20 --port 5003
}

# trips INVARIANT MODE ISOLATE TEXT: it is seen there, and that is said.
trips() {
	local earlier tries

	mode "$2"
	isolate "$3"
	udp4 --count 3
	earlier=$(said)
	echo "$1" >"$PRISM"/provoke
	for ((tries = 0; tries < 5; tries++)); do
		! is_broken || break
		# The gate is looked at when something changes.
		[ "$1" != gate ] || { echo 0 >"$RULES"/limited/enabled; echo 1 >"$RULES"/limited/enabled; }
		traffic
	done
	equal "$1: it is seen" "$(<"$PRISM"/broken)" "$4"
	equal "$1: it is in the log" "$(dmesg | grep -c "prism: turned off: $4")" 1
	check "$1: the module is off soon" wait_for 10 is_off
	check "$1: its hooks go" wait_for 10 gone
	equal "$1: it is said once" $(($(said) - earlier)) 1
	udp4 --count 60
	arrived "$1: the host keeps its network"
	equal "$1: nothing is turned on as long as that is there" \
		"$(errno write "$PRISM"/mode sync) $(errno write "$PRISM"/isolate 1)" "EIO EIO"
	check "$1: and nothing was" is_off
	echo none >"$PRISM"/broken
	mode sync
	udp4 --count 3
	counters
	udp4 --count 20
	counted
	equal "$1: once it is cleared the module works again" "${delta[completed]}" 20
	mode off
}

trips inflight express 1 "a packet in flight at the beginning of a turn"
trips queue sync 1 "a queue without the packets that it had counted"
trips batch batch 0 "a packet of a batch that was over"
trips flow sync 1 "a packet of a flow that had none waiting"
trips local express 0 "a CPU that wanted what it was using"
trips gate sync 1 "packets held back for ten seconds"
finish
