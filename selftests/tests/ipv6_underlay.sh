#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The tunnel itself over IPv6.

. "${0%/*}/../lib.sh"
trap ended_early EXIT

underlay
overlay_bridge 100 4789 6
exercise
exercise_tcp
finish
