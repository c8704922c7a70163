#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Frames that are unusual or wrong, each counted for its reason, and what the
# container, the devices and the protocols make of them: the same in all modes.

. "${0%/*}/../lib.sh"
. "${0%/*}/../lib/malformed.sh"
trap ended_early EXIT

underlay
overlay_bridge
prepare_malformed
intact "before"
for group in valid truncated lengths checksums options fragments vxlan ports nested ecn macs; do
	malformed $group
done
intact "after"
finish
