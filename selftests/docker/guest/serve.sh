#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A command on stdin that the other guest wants done here, in a line; answers with what it says,
# and `status N` at last.

. "$(dirname "$0")/../../pair/guest/common.sh"
. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/hosts.sh"

export PATH=$PATH:/prism/bin
IFS= read -r command
eval "$command" </dev/null 2>&1
echo "status $?"
