#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# As flannel has it: the VXLAN device routes to the containers' bridge.

. "${0%/*}/../lib.sh"
trap ended_early EXIT

underlay
overlay_routed
exercise
exercise_tcp
finish
