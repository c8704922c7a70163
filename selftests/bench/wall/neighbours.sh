# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154
#
# Both guests know each other's addresses for ever: past saturation, what asks for
# them is lost as well. Source it after common.sh.

# knows_host ADDRESS MAC: the host knows the other one.
knows_host() { ip neigh replace "$1" lladdr "$2" dev eth0 nud permanent; }

# knows CONTAINER OTHER...
knows() {
	local container=$1 name
	shift

	for name; do
		echo "neigh replace ${address[$name]} lladdr $(mac_of "$name") dev eth0 nud permanent"
	done | ip -n "$container" -batch - || die "the container $container does not learn addresses"
}
