#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Random, mutated and mergeable frames, each by all ways: sockets, packet sockets and
# the sender get what they get with mode off. A difference is shown with the command
# that plays its frames again. DIFFERENTIAL_SEED=N tries others, DIFFERENTIAL_ARGS adds
# to the command, such as `--only INDEX`.

. "${0%/*}/../lib.sh"
. "${0%/*}/../lib/differential.sh"
trap ended_early EXIT

# tap_compared DESCRIPTION ARG...
tap_compared() {
	compare "$1" "$count" "${@:2}"
	all_moved "$1" completed decapsulated delivered accelerated served kept
}

ip tuntap add tap0 mode tap vnet_hdr
differential_topology tap0
differential_rules
echo tap0 >"$PRISM"/devices
scale 120 30 4000
count=$REPLY
tap_compared "frames in one piece"
tap_compared "frames in pieces" --pieces
# Frames in one piece belong to the tap's socket, so that the short way is not theirs.
kept_long || at_least "frames in pieces: packets are expressed" "${delta[expressed]-0}" 1
for feature in rx-gro-list rx-udp-gro-forwarding; do
	ethtool -K tap0 $feature on || { skip "$feature" "not on this device"; continue; }
	tap_compared "$feature" --merging
	ethtool -K tap0 $feature off
done
finish
