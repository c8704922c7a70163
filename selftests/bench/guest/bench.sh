#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# bench.sh PLAN: runs the cells of a plan, inside a guest with virtual time. A
# plan is what the host's program makes of scenarios, in lines:
#   scenario NAME DURATION_MS WARMUP_MS RULES BASE
#                      BASE is what loads are per cent of, in packets/s: a number,
#                      `own PEER` for the most that peer takes of this scenario,
#                      `none` for none
#   flow NAME CLASS RATE TO LIMIT WORD...
#                      RATE is a number, or `load`: what is left of the load by
#                      the others. LIMIT is the rule's rate, or 0
#   peers NAME...
#   loads PERCENT...   or `highest`: for each peer the most that it takes
#   run
# On stdout, for the host's program; all but `done`, `cannot` and `error` at the end, as
# the host may be slow to read, which the guest would notice:
#   done SCENARIO PERCENT PEER         a cell that will be told of
#   saturation PACKETS_PER_SECOND      what loads are per cent of from here on
#   cell SCENARIO PERCENT PEER, then what simnic tells of the flows, then
#   drop PLACE PACKETS, and `end`
#   cannot SCENARIO PEER WHY
#   error WHY

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=selftests/bench/guest/topology.sh
. "$(dirname "$0")/topology.sh"
# shellcheck source=selftests/bench/guest/peers.sh
. "$(dirname "$0")/peers.sh"

# Where the search for the highest rate begins and ends, in thousands.
least=64 most=4096
# How long a packet may take where nothing queues up for good, in ns.
patience=3000000

# drops: where the kernel dropped packets so far.
drops() {
	local name rest lines line

	read -r "dropped[gro_cells]" </sys/class/net/vx100/statistics/rx_dropped
	read -r _ rest _ </proc/net/softnet_stat
	dropped[backlog]=$((16#$rest))
	dropped[prism]=0
	for name in "$PRISM"/stats/dropped_{interactive,normal,bulk}; do
		if [ -e "$name" ]; then
			read -r rest <"$name"
			dropped[prism]=$((dropped[prism] + rest))
		fi
	done
	dropped[socket]=0
	# The second line of UDP has its counters, of datagrams without a socket and
	# of those with an error.
	for name in "${holder[@]}"; do
		mapfile -t lines </proc/"$name"/net/snmp
		for line in "${lines[@]}"; do
			read -r name _ rest line _ <<<"$line"
			[[ $name != Udp: || $rest != [0-9]* ]] || dropped[socket]=$((dropped[socket] + rest + line))
		done
	done
}

# flow_line PEER LOAD_RATE NUMBER FLOW: a flow for simnic, in `line`, and what its
# connection needs in `connections`. Empty for a flow that has no packets.
flow_line() {
	local name rate to rest from=$remote_inner

	read -r name _ rate to _ rest <<<"$4"
	[ "$rate" != load ] || rate=$2
	line=
	[ "$rate" -gt 0 ] || return 0
	[ "$1" != host ] || to=h${to#?}
	rest+=" destination=${ip[$to]} destination_port=${port[$to]} source_port=$((40000 + $3 * 4000))"
	case $to in
	h*) from=$peer_ip ;;
	*)
		rest+=" vni=100 source_mac=$remote_mac destination_mac=${mac[$to]}"
		rest+=" outer_source=$peer_ip outer_destination=$host_ip"
		;;
	esac
	line="$name rate=$rate $rest source=$from"
	if [[ $rest == *protocol=tcp* ]]; then
		[[ $rest =~ size=([0-9]+) ]]
		connections+=("$to:$from:$((40000 + $3 * 4000)):${BASH_REMATCH[1]-64}")
	fi
}

# traffic PEER LOAD_RATE DURATION WARMUP: the flows of the scenario.
traffic() {
	local n line text='' place

	connections=()
	echo none >$nic/flows
	for n in "${!flows[@]}"; do
		flow_line "$1" "$2" "$n" "${flows[n]}"
		text+=$line$'\n'
	done
	[ ${#connections[@]} = 0 ] || open_sinks "${connections[@]}"
	echo "$text" >$nic/flows || die "flows are refused: $(dmesg | tail -n 1)"
	echo "$3" >$nic/duration_ms
	echo "$4" >$nic/warmup_ms
	drops
	for place in "${!dropped[@]}"; do
		dropped_before[$place]=${dropped[$place]}
	done
	echo 1 >$nic/running || die "no traffic: $(dmesg | tail -n 1)"
	# It begins within a tenth of a second.
	sleep "$(printf '%d.%03d' $((($3 + 120) / 1000)) $((($3 + 120) % 1000)))"
	while read -r REPLY <$nic/running && [ "$REPLY" = 1 ]; do
		sleep 0.02
	done
	# What is still on its way.
	sleep 0.05
	drops
}

# takes PEER RATE: whether it takes the flows with so much load, with nothing lost
# and no queue that grows.
takes() {
	local word words

	traffic "$1" "$2" 100 0
	while read -r word words; do
		[ "$word" = flow ] || continue
		# NAME sent N received N ring N total N longest N
		read -r -a words <<<"$words"
		[ "${words[2]}" = "${words[4]}" ] && [ "${words[10]}" -lt $patience ] || return
	done <$results
}

# highest PEER: the most it takes, in `rate`. In thousands, so that it is the same
# in each run, and with it the moments at which packets arrive.
highest() {
	local low=0 high=$least middle

	while [ $high -lt $most ] && takes "$1" ${high}000; do
		low=$high
		high=$((high * 2))
	done
	while [ $((high - low)) -gt 1 ]; do
		middle=$(((low + high) / 2))
		if takes "$1" ${middle}000; then low=$middle; else high=$middle; fi
	done
	rate=${low}000
}

# The flows whose rate is not `load`, altogether, in `others`.
rate_of_others() {
	local line other

	others=0
	for line in "${flows[@]}"; do
		read -r _ _ other _ <<<"$line"
		[ "$other" = load ] || others=$((others + other))
	done
}

# cell PEER LOAD
cell() {
	local percent=$2 rate place others

	rate_of_others
	if [ "$2" = highest ]; then
		highest "$1"
		echo "saturation $((rate + others))" >>$told
		percent=100
	else
		rate=$((saturation * $2 / 100 - others))
	fi
	traffic "$1" "$rate" "$duration" "$warmup"
	{
		echo "cell $scenario $percent $1"
		cat $results
		for place in "${!dropped[@]}"; do
			echo "drop $place $((dropped[$place] - dropped_before[$place]))"
		done
		echo end
	} >>$told
	echo "done $scenario $percent $1"
}

# begin PEER: where it cannot be, it says so in `why`, in one line.
begin() {
	why=$("begin_$1" 2>&1) && return
	why=${why//$'\n'/ }
	"end_$1" 2>/dev/null
	return 1
}

run_scenario() {
	local peer load why rate others

	case $base in
	none) ;;
	own)
		begin "$base_peer" || die "of what $base_peer takes: $why"
		highest "$base_peer"
		"end_$base_peer" || die "$base_peer does not end"
		rate_of_others
		saturation=$((rate + others))
		;;
	*) saturation=$base ;;
	esac
	[ "${loads[*]}" = highest ] || echo "saturation $saturation" >>$told
	for peer in "${peers[@]}"; do
		begin "$peer" || { echo "cannot $scenario $peer $why"; continue; }
		for load in "${loads[@]}"; do
			cell "$peer" "$load"
		done
		"end_$peer" || die "$peer does not end"
	done
	# Connections are of this scenario.
	[ ${#connections[@]} = 0 ] || open_sinks
}

told=/run/bench-told
saturation=0 connections=()
declare -A dropped dropped_before
topology
while read -r word rest; do
	case $word in
	scenario)
		read -r scenario duration warmup extra_rules base base_peer <<<"$rest"
		flows=()
		;;
	flow) flows+=("$rest") ;;
	peers) read -r -a peers <<<"$rest" ;;
	loads) read -r -a loads <<<"$rest" ;;
	run) run_scenario ;;
	*) die "plan: $word $rest" ;;
	esac
done <"$1"
cat $told
topology_ends
