#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# As Calico has it: the VXLAN device routes to each container's veth.

. "${0%/*}/../lib.sh"
trap ended_early EXIT

underlay
overlay_veth
exercise
exercise_tcp
finish
