#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# run.sh: what a packet's way through the kernel costs, inside a guest with
# virtual time (qemu/run.sh --icount), where an instruction is a nanosecond.
#
# The way is from where the driver hands a small UDP packet in to where it lies
# in the queue of the socket, between the probes of bpf/latency.bpf.c, with one
# packet at a time. Prints KTAP and a table. LATENCY_PACKETS: how many (1000). Then
# for how long softirqs last, see softirq.sh, and a minute of overload, see
# tests/overload.sh.

. "$(dirname "$0")/../lib.sh"

module=$SELFTESTS/../prism.ko
packets=${LATENCY_PACKETS:-1000}
probes=/sys/fs/bpf/latency

# measure FUNCTION: instructions of each packet that FUNCTION sends, sorted, in
# `times`.
measure() {
	"$1" --count 30
	bpftool prog loadall "$SELFTESTS"/bin/latency.o $probes autoattach || return
	"$1" --count "$packets"
	mapfile -t times < <(bpftool map dump name latency.bss | sed 's/[][,]/\n/g' | awk '
		/"count":/ { count = $2 }
		/^[0-9]+$/ && n++ < count' | sort -n)
	rm -r $probes
}

# row LABEL FUNCTION: measures, adds a line to the table; the median is in
# `median` afterwards, and in `base` if that is empty.
table=()
base=
row() {
	local line ratio n

	median='' times=()
	measure "$2"
	n=${#times[@]}
	if [ "$n" -lt $((packets * 9 / 10)) ]; then
		fail "$1: measured" "$n packets of $packets were seen at both ends"
		return
	fi
	median=${times[$((n / 2))]}
	base=${base:-$median}
	ratio=$((median * 10000 / base))
	printf -v line '%-44s %8d %8d %8d   %d.%04d' "$1" "$median" "${times[$((n / 10))]}" \
		"${times[$((n * 99 / 100))]}" $((ratio / 10000)) $((ratio % 10000))
	table+=("$line")
}

heading() {
	base=
	table+=("" "$1" "$(printf '%-44s %8s %8s %8s   %s' '' median p10 p99 ratio)")
}

# within DESCRIPTION PERCENT BASE MEDIAN: MEDIAN is at most so much of BASE.
within() {
	if [ -n "$4" ] && [ -n "$3" ] && [ $(($4 * 100)) -le $(($3 * $2)) ]; then
		pass "$1: $4 of $3 instructions"
	else
		fail "$1" "${4:-none} of ${3:-none} instructions"
	fi
}

one_at_a_time=(--sizes 64 --window 1 --rate 1000)
to_container() { udp4 "${one_at_a_time[@]}" "$@"; }
to_container6() { udp6 "${one_at_a_time[@]}" "$@"; }
to_host() {
	wire udp --from remote --source "$peer_ip" --destination "$host_ip" "${one_at_a_time[@]}" "$@"
}

# compare HEADING FUNCTION RULE...: without the module, with it and no rule, and
# with a rule for the flow; medians in vanilla, idle and high.
compare() {
	local what=$1 send=$2
	shift 2

	heading "$what"
	! loaded || rmmod prism
	row "without the module" "$send"
	vanilla=$median
	insmod "$module"
	echo sync >"$PRISM"/mode
	row "module loaded, mode sync, no rule" "$send"
	idle=$median
	high other vni=4095 protocol=tcp destination_port=1
	row "a rule for another flow" "$send"
	rmdir "$RULES"/other
	high flow "$@" protocol=udp destination_port=5001
	row "a rule of class high for this flow" "$send"
	high=$median
	rmdir "$RULES"/flow
}

# softirqs: the second test of this plan.
softirqs() {
	local rc=0

	echo "    # Subtest: softirq"
	loaded || insmod "$module"
	bash "$SELFTESTS/latency/softirq.sh" || rc=$?
	[ $rc = 0 ] && echo "ok 2 softirq" || echo "not ok 2 softirq"
	return $rc
}

# overload: a minute of it, which is virtual here. The third.
overload() {
	set -o pipefail
	OVERLOAD_SECONDS=60 bash "$SELFTESTS/run.sh" overload |
		sed '/^KTAP/d; /^1\.\./d; s/^\(\|not \)ok 1 /\1ok 3 /'
}

echo "KTAP version 1"
echo "1..3"
echo "    # Subtest: latency"
modprobe -q vxlan
base
clean
# The sender is in this guest, too: its NIC is not to poll for what it has sent
# between the stages of what is received.
ip netns exec remote ethtool -C nic1 tx-frames 0 || skip "quiet sender" "nic1 polls for what it has sent"
trap 'ended_early; echo "not ok 1 latency"' EXIT
underlay
overlay_bridge
compare "to a container on a bridge" to_container vni=100
within "a high packet costs at most 0.57 of what it costs without the module" 57 "$vanilla" "$high"
within "a module without rules costs a packet at most 1 %" 101 "$vanilla" "$idle"
compare "to a container on a bridge, IPv6" to_container6 vni=100
within "the same over IPv6, without rules" 101 "$vanilla" "$idle"
compare "to the host" to_host vni=none
within "to the host, without rules" 101 "$vanilla" "$idle"
clean
underlay
overlay_veth
compare "routed to a container's veth" to_container vni=100
within "routed, at most 0.61" 61 "$vanilla" "$high"

note "instructions from the driver's call to the socket's queue"
for line in "${table[@]}"; do
	note "$line"
done
clean
echo "    1..$checks"
trap - EXIT
ok=ok
[ "$failures" = 0 ] || ok="not ok"
echo "$ok 1 latency"
softirqs || ok="not ok"
overload && [ "$ok" = ok ]
