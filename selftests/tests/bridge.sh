#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Containers on a bridge with a VXLAN port.

. "${0%/*}/../lib.sh"
trap ended_early EXIT

underlay
overlay_bridge
exercise
exercise_tcp
finish
