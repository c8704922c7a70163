#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A netkit pair instead of a veth pair, on a bridge.

. "${0%/*}/../lib.sh"
trap ended_early EXIT

pair_kind=netkit
ip link add probe0 type netkit || skip_all "no netkit in this kernel"
ip link del probe0

underlay
overlay_bridge
exercise
exercise_tcp
finish
