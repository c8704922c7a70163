#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# server.sh KIND: the first guest: services in containers, PRISM, and an agent that does and
# tells what the second guest asks for, until that one ends.

. "$(dirname "$0")/../../pair/guest/common.sh"
. "$(dirname "$0")/../../pair/guest/services.sh"

container_host
start_services "$1"
load_prism /prism/prism.ko
obey
