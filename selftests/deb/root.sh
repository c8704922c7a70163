# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154
#
# A Debian system in a directory, for the tests of the packages. Part of run.sh.

# What a small server has, and nothing of what builds modules.
base_packages=(systemd-sysv systemd dbus udev kmod iproute2 procps initramfs-tools ca-certificates)

make_base() {
	APT_BACKPORTS=backports debian_tar "${base_packages[@]}" | zstd -q -3 >"$1/root.tar.zst"
}

make_base_dir() {
	progress "building a clean system for the packages (once)" "$PRISM_CACHE/log/deb-root.log" make_base "$1"
}

# new_root DIR: such a system, where nothing was installed since.
new_root() {
	local dir base

	base=$PRISM_CACHE/image/deb-$({ echo "${base_packages[@]}"; apt_sources backports; } | hash_of)
	make_dir "$base" make_base_dir
	rm -rf "${1:?}"
	mkdir -p "$1"
	tar -x --zstd -f "$base/root.tar.zst" -C "$1"
	# Manual pages of the packages.
	echo 'path-include=/usr/share/man/man?/prism*' >"$1/etc/dpkg/dpkg.cfg.d/zz-test"
	cat >"$1/etc/apt/apt.conf.d/zz-test" <<END
APT::Keep-Downloaded-Packages "true";
APT::Get::Assume-Yes "true";
APT::Sandbox::User "root";
END
	apt_host_options >>"$1/etc/apt/apt.conf.d/zz-test"
	# Booted for the first time, systemd would enable all units.
	echo 7072736d000040008000000000000000 >"$1/etc/machine-id"
	cp -L /etc/resolv.conf "$1/etc/resolv.conf"
	mkdir -p "$1/srv/packages"
}

# in_root COMMAND...: there, as root. Downloads are kept in the cache. No initramfs is made,
# as guests of the tests have their own.
in_root() {
	local archives=$PRISM_CACHE/deb/archives

	mkdir -p "$archives/partial"
	bwrap --die-with-parent --unshare-pid --cap-add ALL --bind "$root" / --dev /dev --proc /proc \
		--ro-bind /sys /sys --tmpfs /run --tmpfs /tmp --bind "$archives" /var/cache/apt/archives \
		--ro-bind "$packages" /srv/packages --chdir / \
		env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive INITRD=No \
		"$@"
}

# files: what is there, but for what apt, dpkg and the log keep for themselves; of what is
# configured, also what is in it.
files() {
	(
		cd "$root" || exit
		find . -xdev \( -path ./var/lib/dpkg -o -path ./var/lib/apt -o -path ./var/log -o -path ./var/cache \
			-o -path ./proc -o -path ./dev -o -path ./sys -o -path ./run -o -path ./tmp -o -path ./srv \) -prune \
			-o -printf '%p %y %l\n'
		find etc -type f -exec sha256sum {} +
	) | LC_ALL=C sort
}
