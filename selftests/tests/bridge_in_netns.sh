#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# As Docker's overlay networks have it: bridge and VXLAN device in a namespace
# of their own, the tunnel's socket in the host's.

. "${0%/*}/../lib.sh"
trap ended_early EXIT

underlay
overlay_bridge_in_netns
exercise
exercise_tcp
finish
