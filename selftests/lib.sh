# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What every test here uses. A test is a file in tests/: it sources this, makes
# a topology, checks, and ends with `finish`. An emulated guest takes 20 ms to
# start a program, so what can be done in the shell is done in the shell.

set -u

SELFTESTS=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
WIRE=$SELFTESTS/bin/wire
PRISM=/sys/kernel/prism
CONFIG=/sys/kernel/config/prism
RULES=$CONFIG/rules

. "$SELFTESTS/lib/report.sh"
. "$SELFTESTS/lib/prism.sh"
. "$SELFTESTS/lib/topology.sh"
. "$SELFTESTS/lib/traffic.sh"
. "$SELFTESTS/lib/trace.sh"
. "$SELFTESTS/lib/simnic.sh"
