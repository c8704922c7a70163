# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Packages of the Debian archive, fetched by an apt of our own inside the tool
# root: checked by the archive's signatures, without touching the host's apt.

archive_apt() {
	local tool=$1 state=$PRISM_CACHE/apt
	shift

	"$tool" -o Dir::State="$state/state" -o Dir::State::status=/var/lib/dpkg/status \
		-o Dir::Cache="$state/cache" -o Dir::Etc="$state/etc" \
		-o Dir::Log="$state" -o Dir::Etc::trusted=/etc/apt/trusted.gpg \
		-o Dir::Etc::trustedparts=/etc/apt/trusted.gpg.d \
		-o APT::Sandbox::User= -o Acquire::Languages=none -o Acquire::Retries=3 "$@"
}

# The lists of trixie-backports, which has every kernel package.
archive_update() {
	local state=$PRISM_CACHE/apt

	mkdir -p "$state"/{state/lists/partial,cache/archives/partial,etc/apt.conf.d,etc/preferences.d}
	echo "deb $PRISM_MIRROR/debian $PRISM_SUITE-backports main" >"$state/etc/sources.list"
	printf '%s\n' "${PRISM_APT_OPTIONS-}" >"$state/etc/apt.conf"
	archive_apt apt-get update
}

# archive_has PACKAGE VERSION
archive_has() {
	archive_apt apt-cache madison "$1" 2>/dev/null | awk -F ' *[|] *' '{print $2}' | grep -qxF "$2"
}

# archive_get DIR PACKAGE=VERSION...: download packages into DIR.
archive_get() {
	local dir=$1
	shift

	mkdir -p "$dir"
	cd "$dir" || return
	archive_apt apt-get download "$@"
}
