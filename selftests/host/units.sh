#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# units.sh: systemd understands the units, and finds little that prismd.service might do to
# the host. Skipped, with status 4, where there is no systemd-analyze.

. "$(dirname "$0")/../../scripts/lib.sh"

command -v systemd-analyze >/dev/null || { echo "there is no systemd-analyze"; exit 4; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
# Programs that the units start have to be there.
for name in prismctl prismd; do
	ln -s /bin/true "$dir/$name"
done
for unit in "$PRISM_SRC"/tools/units/*.service; do
	sed "s|@bindir@|$dir|" "$unit" >"$dir/${unit##*/}"
done

# It also looks at units of the host that these name.
complaints=$(systemd-analyze verify --man=no "$dir"/*.service 2>&1 | grep -E 'prismd?\.service' || :)
[ -z "$complaints" ] || { echo "$complaints"; exit 1; }
systemd-analyze security --offline=yes --threshold=20 --no-pager "$dir/prismd.service"
