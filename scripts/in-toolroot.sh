#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# in-toolroot.sh COMMAND [ARG...]: run a command in the tool root.
#
# It sees this repository, the cache, /tmp, /dev, the current directory, KDIR
# and the directories in PRISM_BIND (separated by colons) where they are
# outside; the rest of the machine it does not see. PIDs are the machine's own.

. "$(dirname "$0")/lib.sh"

[ $# -gt 0 ] || die "usage: in-toolroot.sh COMMAND [ARG...]"
! in_toolroot || exec "$@"

root=$("$PRISM_SRC/scripts/toolroot.sh")
mkdir -p "$PRISM_CACHE/cargo" "$PRISM_CACHE/home"

args=(--die-with-parent --tmpfs / --dev-bind /dev /dev --bind /proc /proc --bind /sys /sys
	--bind /tmp /tmp --dir /run --dir /var/tmp --dir /var/cache --dir /usr)

# The root's own files. /usr/src may be where someone keeps this repository.
for path in "$root"/*; do
	name=/${path##*/}
	case $name in
	/dev | /proc | /sys | /tmp | /run | /home | /root | /var | /usr | /mnt | /media | /srv | /boot) ;;
	*)
		if [ -L "$path" ]; then
			args+=(--symlink "$(readlink "$path")" "$name")
		else
			args+=(--ro-bind "$path" "$name")
		fi
		;;
	esac
done
for path in "$root"/usr/* "$root"/usr/src/* "$root"/var/lib/dpkg; do
	name=${path#"$root"}
	case $name in
	/usr/src | '/usr/src/*' | /usr/local) ;;
	*) args+=(--ro-bind "$path" "$name") ;;
	esac
done

# How this machine reaches the network.
for path in /etc/resolv.conf /etc/hosts /etc/ssl/certs/ca-certificates.crt; do
	[ ! -e "$path" ] || args+=(--ro-bind "$(readlink -f "$path")" "$path")
done
for path in "${CARGO_HOME:-$HOME/.cargo}/config.toml" "${CARGO_HOME:-$HOME/.cargo}/config"; do
	[ ! -f "$path" ] || args+=(--ro-bind "$path" "$PRISM_CACHE/cargo/config.toml")
done

# What is the same inside as outside.
IFS=: read -r -a binds <<<"${PRISM_BIND-}"
git_dir=$(git -C "$PRISM_SRC" rev-parse --path-format=absolute --git-common-dir 2>/dev/null || :)
for path in "$PRISM_SRC" "$PRISM_CACHE" "$git_dir" "$PWD" "${KDIR-}" \
	"${KDIR:+$(readlink -f "$KDIR/source")}" "${binds[@]}"; do
	case $path in
	'' | / | /tmp | /tmp/*) ;;
	*) [ ! -d "$path" ] || args+=(--bind "$path" "$path") ;;
	esac
done

env=(PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 HOME="$PRISM_CACHE/home"
	CARGO_HOME="$PRISM_CACHE/cargo" PRISM_CACHE="$PRISM_CACHE")
for name in TERM V JOBS KERNEL KDIR CLIPPY RUST_BACKTRACE PROPTEST_CASES SOURCE_DATE_EPOCH \
	http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY \
	${!PRISM_*} ${!TEST_*} ${!DEMO_*} ${!KBUILD_*}; do
	[ -z "${!name-}" ] || env+=("$name=${!name}")
done

if ! bwrap "${args[@]}" true 2>/dev/null; then
	bwrap "${args[@]}" true || die "bwrap cannot make a sandbox here;" \
		"if user namespaces are off: sudo sysctl -w kernel.unprivileged_userns_clone=1 kernel.apparmor_restrict_unprivileged_userns=0"
fi
exec bwrap "${args[@]}" --chdir "$PWD" env -i "${env[@]}" "$@"
