#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The same as malformed.sh with an outer header of IPv6.

. "${0%/*}/../lib.sh"
. "${0%/*}/../lib/malformed.sh"
trap ended_early EXIT

underlay
overlay_bridge 100 4789 6
outer=(--outer-source "$peer_ip6" --outer-destination "$host_ip6")
prepare_malformed
intact "before"
for group in valid truncated lengths options checksums ecn ports; do
	malformed $group
done
intact "after"
finish
