#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Flows to the host itself, outside of any tunnel.

. "${0%/*}/../lib.sh"
trap ended_early EXIT

underlay
to_host() { wire udp --from remote --source "$peer_ip" --destination "$host_ip" "$@"; }
to_host6() { wire udp --from remote --source "$peer_ip6" --destination "$host_ip6" "$@"; }
to_host --count 3
to_host6 --count 3

high host vni=none protocol=udp destination_port=5001
same "UDP to the host" to_host --count 60 --sizes 0-40,1000,1472
equal "it runs to completion" "${delta[classified]} ${delta[completed]} ${delta[decapsulated]}" "60 60 0"
same "UDP over IPv6 to the host" to_host6 --count 60 --sizes 0-40,1000,1452
equal "it runs to completion over IPv6" "${delta[classified]} ${delta[completed]}" "60 60"
same "a connected socket" to_host --count 30 --connect
equal "it runs to completion to a connected socket" "${delta[completed]}" 30
same "fragments to the host" to_host --count 3 --window 1 --sizes 3000,65000
equal "fragments are not classified" "${delta[classified]}" 0
same "UDP to another port of the host" to_host --count 30 --port 5002
equal "no rule is for it" "${delta[classified]}" 0
# Neighbours may have something to say to each other.
at_least "it is unmatched" "${delta[unmatched]}" 30

high tcp vni=none protocol=tcp destination_port=5001
mode sync
counters
wire tcp --from remote --destination "$host_ip" --up 2000 --down 2000
counted
equal "TCP to the host in both directions" "${got[lost]-} ${got[up]-} ${got[down]-}" "0 2048000 2048000" "$report"
at_least "it runs to completion" "${delta[completed]}" 50

# A rule for a tunnel is not for the host, and the other way round.
rmdir "$RULES"/host "$RULES"/tcp
high tunnel vni=100 protocol=udp destination_port=5001
counters
to_host --count 20
counted
equal "a rule with a VNI is not for the host" "${delta[classified]}" 0
# The connection may have had something left to say.
at_least "no rule is" "${delta[unmatched]}" 20
finish
