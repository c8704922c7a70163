# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Traffic from the remote end to a container, and what became of it. The
# topology says where the ends are, in remote_ip, remote_ip6, c1_ip and c1_ip6.

declare -A got
report=

# wire COMMAND...: runs the tool; its report is in `report`, the words of the
# first line in `got`. All commands of a test run in one process, whose standard input and
# output subshells do not have.
wire() {
	local line rc=''

	[ -n "${SERVER_PID-}" ] || start_server
	printf -v line '%s\x1f' "$@"
	printf '%s\n' "${line%?}" >&"${SERVER[1]}"
	report=
	while [ -z "$rc" ] && IFS= read -r line <&"${SERVER[0]}"; do
		case $line in
		'status '*) rc=${line#status } ;;
		*) report+=${report:+$'\n'}$line ;;
		esac
	done
	understand "$report"
	# It ends where it panics.
	[ -n "$rc" ] || unset SERVER_PID
	rc=${rc:-125}
	[ "$rc" = 0 ] || note "wire $*: status $rc" "$report"
	return "$rc"
}

# Without what bash says where a test has a coprocess of its own.
start_server() { coproc SERVER { exec "$WIRE" serve 2>&1; }; } 2>/dev/null

understand() {
	local word words

	got=()
	read -r -a words <<<"$1"
	for word in "${words[@]}"; do
		case $word in
		*=*) got[${word%%=*}]=${word#*=} ;;
		esac
	done
}

# udp4 ARG..., udp6 ARG...: datagrams to container c1.
udp4() { wire udp --from remote --to "${to:-c1}" --source "$remote_ip" --destination "$c1_ip" "$@"; }
udp6() { wire udp --from remote --to "${to:-c1}" --source "$remote_ip6" --destination "$c1_ip6" "$@"; }

# arrived DESCRIPTION [any-order]: the last flow arrived whole and once. Order is
# kept inside a flow, by whatever way it goes.
arrived() {
	local sum="${got[lost]-?} lost, ${got[duplicate]-?} duplicate, ${got[corrupt]-?} corrupt"

	[ "${2-}" = any-order ] || sum+=", ${got[reordered]-?} reordered"
	if [ "${got[received]:-0}" -gt 0 ] && [ -z "${sum//[0 ,a-z]/}" ]; then
		pass "$1: ${got[received]} of ${got[sent]} arrived intact"
	else
		fail "$1: arrived intact" "$sum" "$report"
	fi
}

# same DESCRIPTION FUNCTION ARG...: what FUNCTION sends arrives byte for byte
# the same, from the same sender, with the same TOS and TTL, in mode off and in
# mode sync. The counters of the second are in delta.
same() { same_in sync "$@"; }

# same_in MODE DESCRIPTION FUNCTION ARG...: the same with that mode. What is in
# `settle`, if anything, is run before packets count.
same_in() {
	local mode=$1 what=$2
	shift 2

	mode off
	as_in_off "$what, mode off" "$@"
	mode "$mode"
	${settle-}
	as_before "$what, mode $mode" "$what: the same with mode $mode as with mode off" "$@"
}

# as_in_off DESCRIPTION FUNCTION ARG...: what FUNCTION sends arrives; what that was is
# kept for as_before.
as_in_off() {
	local what=$1
	shift

	"$@"
	arrived "$what"
	arrived_in_off="${got[digest]-} ${got[meta]-}"
}

# as_before DESCRIPTION COMPARISON FUNCTION ARG...: it arrives, and is what as_in_off
# saw. Its counters are in delta.
as_before() {
	local what=$1 comparison=$2
	shift 2

	counters
	"$@"
	counted
	arrived "$what"
	equal "$comparison" "${got[digest]-none} ${got[meta]-none}" "$arrived_in_off"
}

# ran_to_completion DESCRIPTION COUNT: COUNT packets, and only those, took the
# short way. One packet in a while goes through the driver, to keep the learnt
# address from ageing, and comes back.
ran_to_completion() {
	local counter wrong=

	delta[decapsulated]=$((delta[decapsulated] + delta[kernel_refresh]))
	for counter in classified completed decapsulated delivered; do
		[ "${delta[$counter]}" = "$2" ] || wrong+="$counter is ${delta[$counter]}; "
	done
	moved
	if [ -z "$wrong" ]; then
		pass "$1: $2 packets classified, completed, decapsulated and delivered"
	else
		fail "$1: $2 packets classified, completed, decapsulated and delivered" "$wrong" "$REPLY"
	fi
}

# background NAME COMMAND...: a flow that goes on until `ended NAME`. Returns
# when its first packet has arrived.
declare -A background_pid
background() {
	local name=$1 out=/run/selftests.$1 tries=0
	shift

	: >"$out"
	"$WIRE" "$@" --ready >"$out" 2>&1 &
	background_pid[$name]=$!
	until read -r REPLY <"$out" && [ "$REPLY" = ready ]; do
		tries=$((tries + 1))
		if [ $tries -gt 400 ] || ! kill -0 "${background_pid[$name]}" 2>/dev/null; then
			fail "background flow $name starts" "$(<"$out")"
			return 1
		fi
		pause 0.05
	done
}

# ended NAME: ends the flow and reads what became of it.
ended() {
	kill -TERM "${background_pid[$1]}" 2>/dev/null
	wait "${background_pid[$1]}" || note "flow $1: status $?"
	unset "background_pid[$1]"
	report=$(<"/run/selftests.$1")
	report=${report#ready$'\n'}
	understand "$report"
}

# running NAME: whether that flow still goes on.
running() { kill -0 "${background_pid[$1]}" 2>/dev/null; }

# sees_ping DESCRIPTION ADDRESS [ARG...]: ICMP from the remote end.
sees_ping() {
	local what=$1
	shift

	check "$what" ip netns exec remote ping -q -c 3 -i 0.02 -W 2 "$@"
}

# high_flows VNI: datagrams to port 5001 of c1 are of class high, over both families.
high_flows() {
	high high4 "vni=$1" protocol=udp "destination=$c1_ip" destination_port=5001
	high high6 "vni=$1" protocol=udp "destination=$c1_ip6" destination_port=5001
	# Both ends learn addresses; until then even the kernel does not keep the order.
	udp4 --count 3
	udp6 --count 3
}

# exercise: the same for every topology. Flows to port 5001 are of class high,
# others have no rule. The VNI is that of the rules.
exercise() {
	local vni=${1:-100} n

	high_flows "$vni"
	scale 123 61
	n=$REPLY
	same "UDP over IPv4" udp4 --count "$n" --sizes 0-40,400,1000,1380
	ran_to_completion "UDP over IPv4" "$n"
	same "UDP over IPv6" udp6 --count "$n" --sizes 0-40,400,1000,1380
	ran_to_completion "UDP over IPv6" "$n"
	exercise_fragments
	exercise_others
	exercise_icmp
	exercise_ways
}

# Datagrams that do not fit a packet: fragments are not classified.
exercise_fragments() {
	same "UDP in fragments over IPv4" udp4 --count 8 --window 2 --sizes 1500,4000,20000,65000
	equal "no fragment is classified" "${delta[classified]}" 0
	at_least "fragments are counted" "${delta[unclassified_fragment]}" 100
	same "UDP in fragments over IPv6" udp6 --count 4 --window 2 --sizes 1500,65000
}

# A flow without a rule goes the kernel's way.
exercise_others() {
	same "UDP without a rule" udp4 --count 50 --sizes 10,1000 --port 5002
	equal "it is not classified" "${delta[classified]} ${delta[delivered]}" "0 0"
	at_least "it is counted as unmatched" "${delta[unmatched]}" 50
}

exercise_icmp() {
	high icmp4 "vni=$vni" protocol=icmp
	high icmp6 "vni=$vni" protocol=icmpv6 "destination=$c1_ip6"
	mode off
	sees_ping "ICMP echo, mode off" -s 1000 "$c1_ip"
	mode sync
	counters
	sees_ping "ICMP echo" -s 1000 "$c1_ip"
	sees_ping "ICMP echo over IPv6" -s 1000 "$c1_ip6"
	sees_ping "ICMP echo in fragments" -s 6000 "$c1_ip"
	counted
	at_least "ICMP runs to completion" "${delta[delivered]}" 6
	rmdir "$RULES"/icmp4 "$RULES"/icmp6
}

# What tracepoints say of the ways that packets took.
exercise_ways() {
	local head=28 high low queued=0

	# The driver of a netkit pair has but one way: into the queue, from where the
	# packet is taken back at once.
	[ "$pair_kind" != netkit ] || queued=40

	mode sync
	trace_on "${receive_events[@]}"
	udp4 --count 40 --sizes 333
	udp4 --count 40 --sizes 337 --port 5002
	trace_off
	high=$(ways $((333 + head)) "${path[@]}")
	low=$(ways $((337 + head)) "${path[@]}")
	trace_remove
	equal "high packets wait in no queue and run straight through" "$high" \
		"queued=$queued cells=0 received=40 straight=40"
	matches "other packets wait in the backlog as always" "$low" 'queued=40'
	matches "other packets wait in gro_cells as always" "$low" 'cells=40'
}

# delivers COUNT: waits until so many more packets are delivered.
delivers() {
	local now

	read -r now <"$PRISM"/stats/delivered
	wait_for 5 has_delivered $((now + $1))
}

has_delivered() {
	local now

	read -r now <"$PRISM"/stats/delivered
	[ "$now" -ge "$1" ]
}

# exercise_tcp [SWITCHES]: bulk in both directions while the mode is switched.
exercise_tcp() {
	local n

	high tcp protocol=tcp "destination=$c1_ip"
	counters
	background tcp tcp --from remote --to c1 --destination "$c1_ip" --endless
	for ((n = 0; n < ${1:-5}; n++)); do
		mode sync
		delivers 20
		mode off
		pause 0.05
	done
	equal "TCP goes on while the mode is switched" "$(running tcp && echo yes)" yes
	ended tcp
	counted
	equal "TCP in both directions is intact" "${got[lost]-}" 0 "$report"
	at_least "TCP sent much in one direction" "${got[up]:-0}" 100000 "$report"
	at_least "TCP sent much in the other" "${got[down]:-0}" 100000 "$report"
	at_least "TCP ran to completion in mode sync" "${delta[delivered]}" 20
	rmdir "$RULES"/tcp
}

# dropped WHERE: the flow is dropped there, in both modes.
dropped() {
	local mode

	for mode in off sync; do
		mode $mode
		udp4 --count 20 --patience 100
		equal "$1 drops in mode $mode" "${got[received]-} of ${got[sent]-}" "0 of 20"
	done
}
