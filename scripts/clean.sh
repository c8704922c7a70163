#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# clean.sh: remove what was built in this repository.

. "$(dirname "$0")/lib.sh"

cd "$PRISM_SRC"
rm -rf build prism.ko
find . -name target -type d -prune -exec sh -c '[ ! -e "$1/../Cargo.toml" ] || rm -rf "$1"' sh {} \;
