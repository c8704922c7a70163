# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154
#
# How the second guest has the first one do things, and the cable send bulk
# traffic. Source it after common.sh.

declare -A moved=()

# join_pair: the second guest's containers; waits for those of the first.
join_pair() {
	local name

	underlay eth0 "$client_host" "$client_mac"
	overlay eth0 "$client_host" "$server_host"
	container clients
	container bulk
	step "the second guest is ready"
	reach_agent
	ask count
	for name in memcached nginx echo neighbour; do
		wait_for 20 in_container clients ping -q -c 1 -W 1 "${address[$name]}" ||
			die "the container $name does not answer"
	done
}

# reach_agent: the first guest's, which may not be ready yet.
reach_agent() {
	local from to

	coproc socat - "TCP:$server_host:$control_port,retry=300,interval=0.3" 2>/dev/null
	# Subshells do not have those of a coprocess.
	exec {from}<&"${COPROC[0]}" {to}>&"${COPROC[1]}"
	control=("$from" "$to")
}

# ask COMMAND: the first guest's answer, in REPLY.
ask() {
	REPLY=failed
	if echo "$*" >&"${control[1]}"; then
		IFS= read -r -t 120 REPLY <&"${control[0]}" || REPLY=failed
	fi
	[ "$REPLY" != failed ] || die "the first guest does not do or tell \"$*\""
}

# mode MODE: PRISM's, or vanilla.
mode() { ask mode "${1/vanilla/off}"; }

# counted: how much the first guest's counters have moved since it was asked to
# count, in `moved`.
counted() {
	local word

	ask moved
	moved=()
	for word in $REPLY; do
		moved[${word%%=*}]=${word#*=}
	done
}

# rate_of COUNTER: by how much a second, in REPLY.
rate_of() { REPLY=$((${moved[$1]:-0} * 1000000 / (moved[elapsed] > 0 ? moved[elapsed] : 1))); }

# prism_counters: those of PRISM that have moved, as NAME=NUMBER ..., in REPLY.
prism_counters() {
	local name

	REPLY=
	for name in "${!moved[@]}"; do
		case $name in
		elapsed | idle | rule_* | *neighbour*) continue ;;
		esac
		[ "${moved[$name]}" = 0 ] || REPLY+=" $name=${moved[$name]}"
	done
}

# inject FLOW RATE: bulk traffic from the cable, packets a second.
inject() { echo "inject $*"; }

# moderate PACKETS_PER_SECOND: interrupts as hardware moderates them under such
# a load: one for 64 packets, which is what NAPI takes at a time. 0: none.
moderate() {
	gap=0
	[ "$1" = 0 ] || gap=$((64 * 1000000 / $1))
	ask moderate $gap
}
