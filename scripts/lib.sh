# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Helpers that every script here uses. Source it; it sets the options of a
# careful script and the two directories that everything else hangs from:
#   PRISM_SRC    this repository
#   PRISM_CACHE  everything expensive: tool root, kernels, images

set -euo pipefail
shopt -s inherit_errexit

PRISM_SRC=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
PRISM_CACHE=${PRISM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/prism}
export PRISM_SRC PRISM_CACHE

PRISM_MIRROR=${PRISM_MIRROR:-http://deb.debian.org}
PRISM_SUITE=trixie

say() { echo "prism: $*" >&2; }
die() { say "error: $*"; exit 1; }

in_toolroot() { [ -e /etc/prism-toolroot ]; }

# enter_toolroot SCRIPT ARG...: go on inside the tool root, if not there yet.
enter_toolroot() {
	in_toolroot || exec "$PRISM_SRC/scripts/in-toolroot.sh" "$@"
}

# A key for things built from the inputs given on stdin.
hash_of() { sha256sum | cut -c1-12; }

# The commit that a figure is of, where there is one.
this_commit() { git describe --always --dirty 2>/dev/null || echo unknown; }

# For mkfs.erofs: the same image of the same files, whenever it is made.
# shellcheck disable=SC2034
erofs_options=(--quiet -T 0 -U 7072736d-0000-4000-8000-000000000000)

# initramfs_of DIR NAME: what DIR/NAME has, for the kernel to unpack, on stdout.
initramfs_of() (
	cd "$1"
	find "$2" -exec touch -hd @0 {} +
	find "$2" | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0 --reproducible
)

# Shell lists with comments to words on lines.
words() { sed 's|#.*||' | tr -s "[:blank:]" "\n" | sed "/^$/d"; }

# need_host COMMAND:PACKAGE...: a command this machine must have. Root with apt
# installs what is missing; anyone else is told how to, in one line.
need_host() {
	local pair missing=() sudo=

	for pair; do
		case ${pair%%:*} in
		/*) [ -e "${pair%%:*}" ] && continue ;;
		*) command -v "${pair%%:*}" >/dev/null && continue ;;
		esac
		missing+=("${pair#*:}")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
		say "installing what this machine lacks: ${missing[*]}"
		apt_install "${missing[@]}" && return 0
		die "apt-get could not install: ${missing[*]}"
	fi
	[ "$(id -u)" = 0 ] || sudo='sudo '
	die "missing: ${missing[*]}; install with: ${sudo}apt-get install -y ${missing[*]}"
}

apt_install() {
	local install=(env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y
		--no-install-recommends "$@")

	"${install[@]}" >/dev/null 2>&1 && return 0
	apt-get -qq update >&2 && "${install[@]}" >/dev/null
}

# progress WHAT LOG CMD...: run a command with its output in LOG; say what goes
# on every ten seconds, and show the end of LOG when it fails.
progress() {
	local what=$1 log=$2 start=$SECONDS ticker rc
	shift 2

	say "$what ..."
	mkdir -p "$(dirname "$log")"
	: >"$log"
	while sleep 10 >/dev/null 2>&1; do
		say "$what: $((SECONDS - start)) s, $(last_line "$log")"
	done 9>&- &
	ticker=$!
	# Not `|| rc=`, which would turn "set -e" off inside.
	set +e
	(set -e; "$@") >>"$log" 2>&1
	rc=$?
	set -e
	kill "$ticker" 2>/dev/null || :
	wait "$ticker" 2>/dev/null || :
	if [ $rc -ne 0 ]; then
		tail -n 30 "$log" >&2
		say "$what: failed ($rc) after $((SECONDS - start)) s; the whole log is $log"
		return $rc
	fi
	say "$what: done in $((SECONDS - start)) s"
}

last_line() {
	tail -c 400 "$1" | tr '\r' '\n' | sed '/^[[:space:]]*$/d' | tail -n 1 | cut -c1-70
}

# locked NAME CMD...: only one of several runs at a time does CMD. The lock
# goes with the last process that holds it, so an interrupted run leaves none.
locked() {
	local lock_name=$1 lock=$PRISM_CACHE/lock/$1
	shift

	mkdir -p "$PRISM_CACHE/lock"
	(
		if ! flock -n 9; then
			say "waiting for another run that makes $lock_name"
			flock 9
		fi
		"$@"
	) 9>"$lock"
}

# make_dir DIR CMD...: DIR made once by `CMD... TMP`, renamed into place when
# it is whole. What an interrupted run left behind is swept up.
make_dir() {
	[ -e "$1" ] || locked "$(basename "$1")" make_dir_locked "$@"
}

make_dir_locked() {
	local dir=$1 tmp
	shift

	[ ! -e "$dir" ] || return 0
	tmp=$(dirname "$dir")/.tmp-$(basename "$dir")
	rm -rf "$tmp"
	mkdir -p "$tmp"
	"$@" "$tmp"
	mv -T "$tmp" "$dir"
}

# The Debian archive that everything comes from, as apt sources.
apt_sources() {
	local m=$PRISM_MIRROR s=$PRISM_SUITE

	echo "deb $m/debian $s main"
	echo "deb $m/debian $s-updates main"
	echo "deb $m/debian-security $s-security main"
	[ "${1-}" != backports ] || echo "deb $m/debian $s-backports main"
}

# How this machine's own apt reaches the archive: proxies, checks of dates.
apt_host_options() {
	command -v apt-config >/dev/null || return 0
	apt-config dump |
		grep -E '^Acquire::(http|https|ftp)::?(Proxy|CaInfo)|^Acquire::(Check-|Retries)' || :
	[ -z "${http_proxy-}" ] || echo "Acquire::http::Proxy \"$http_proxy\";"
}

# debian_tar PACKAGE...: a Debian root with these packages, as tar on stdout.
debian_tar() {
	local mode=unshare opt args=()

	need_host mmdebstrap:mmdebstrap /usr/share/keyrings/debian-archive-keyring.gpg:debian-archive-keyring
	if [ "$(id -u)" = 0 ]; then
		mode=root
	else
		need_host newuidmap:uidmap
	fi
	while read -r opt; do
		args+=(--aptopt="$opt")
	done < <(apt_host_options)
	apt_sources "${APT_BACKPORTS-}" | SOURCE_DATE_EPOCH=0 mmdebstrap --mode=$mode --variant=apt --format=tar \
		--include="$(printf '%s,' "$@" | sed 's/,$//')" \
		--keyring=/usr/share/keyrings/debian-archive-keyring.gpg \
		--aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Languages "none"' \
		--aptopt='Acquire::Retries "3"' "${args[@]}" \
		--dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
		--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/info/*' \
		"$PRISM_SUITE" - -
}

# make_here DIR CMD...: as make_dir, for what must be made in its final place
# because it remembers its path. DIR/.complete says that it is whole.
make_here() {
	[ -e "$1/.complete" ] || locked "$(basename "$1")" make_here_locked "$@"
}

make_here_locked() {
	local dir=$1
	shift

	[ ! -e "$dir/.complete" ] || return 0
	rm -rf "$dir"
	mkdir -p "$dir"
	"$@" "$dir"
	touch "$dir/.complete"
}
