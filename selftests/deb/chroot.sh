# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2016,SC2154
#
# The packages on a clean system that is not booted: dkms builds the module for kernels that
# are installed there. Part of run.sh.

# status RELEASE: what dkms has for it.
status() { in_root dkms status -m prism -k "$1" | sed -n 's/.*: //p'; }

modules_of() { find "$root/usr/lib/modules/$1" -name 'prism.ko*'; }

# is_built RELEASE VERSION: installed, loadable, and of that version of the package.
is_built() {
	in_root dkms status -m prism -k "$1" | grep -q "^prism/$2, $1, x86_64: installed" &&
		[ "$(in_root modinfo -k "$1" -F vermagic prism | cut -d' ' -f1)" = "$1" ] &&
		[ -n "$(in_root modprobe -S "$1" -R prism)" ] &&
		[ "$(modules_of "$1")" = "$root/usr/lib/modules/$1/updates/dkms/prism.ko.xz" ]
}

# is_clean [RELEASE]: nothing of the module is left for that kernel, or for any.
is_clean() {
	! { find "$root/var/lib/prism-dkms" -mindepth 1 -maxdepth 1 -type d -name "${1:-*}" 2>/dev/null
		find "$root/usr/lib/modules" -path "*/${1:-*}/*" -name 'prism.ko*'; } | grep .
}

# is_sane: nothing is half installed.
is_sane() { [ -z "$(in_root dpkg --audit)" ] && in_root apt-get check >/dev/null; }

# are_installed VERSION
are_installed() {
	local name

	for name in prism-dkms prism-tools; do
		[ "$(in_root dpkg-query -W -f '${db:Status-Abbrev}${Version}' $name)" = "ii $1" ] || return
	done
	is_sane
}

root_install() { in_root apt-get -q install "$@"; }

# kernel_install PACKAGE...: those of kernels want others from there.
kernel_install() { root_install -t trixie-backports "$@"; }

# deb VERSION...: the packages of that version, for apt.
debs() { echo "/srv/packages/$1/prism-dkms_$1_all.deb" "/srv/packages/$1/prism-tools_$1_amd64.deb"; }

# refuses RELEASE SENTENCE: dkms skips it, says why, and leaves all as it was.
refuses() {
	local rc=0 was

	was=$(status "$1")
	in_root dkms install -m prism -v "$v1" -k "$1" || rc=$?
	[ $rc = 77 ] || { echo "dkms ended with $rc"; return 1; }
	tail -n 20 "$root/var/lib/dkms/prism/$v1/build/make.log"
	grep -qF -- "prism is not built for the kernel $1: $2" "$root/var/lib/dkms/prism/$v1/build/make.log" &&
		in_root /usr/lib/prism-dkms/kernel-tree refusals "$1" | grep -qF -- "$2" &&
		[ "$(status "$1")" = "$was" ] && is_clean "$1" && is_sane
}

# says SENTENCE COMMAND...: succeeds, and says it.
says() {
	local out
	out=$("${@:2}" 2>&1) || { echo "$out"; return 1; }
	echo "$out"
	grep -qF -- "$1" <<<"$out"
}

# instead FILE SCRIPT COMMAND...: with another program in place of that one.
instead() {
	local file=$root$1 rc=0

	mv "$file" "$file.real"
	printf '%s\n' "$2" >"$file"
	chmod 755 "$file"
	"${@:3}" || rc=$?
	mv "$file.real" "$file"
	return $rc
}

# with_room MIB COMMAND...: with as much room for trees.
with_room() {
	local rc=0

	mount -t tmpfs -o "size=$1m" room "$root/var/lib/prism-dkms"
	"${@:2}" || rc=$?
	umount "$root/var/lib/prism-dkms"
	return $rc
}

# A linux-source package of another version.
make_other_source() {
	local tree=$work/other

	mkdir -p "$tree/DEBIAN" "$tree/usr/src"
	printf 'Package: linux-source-7.2\nSource: linux\nVersion: 7.2.1-1\nArchitecture: all\nMaintainer: test <test@invalid>\nDescription: test\n' \
		>"$tree/DEBIAN/control"
	echo | xz >"$tree/usr/src/linux-source-7.2.tar.xz"
	dpkg-deb --root-owner-group -b "$tree" "$packages/other-source.deb" >/dev/null
}

# other_kernel RELEASE OPTION: headers of a kernel that differs from 7.2 in that it lacks that option.
other_kernel() {
	local dir=$root/usr/lib/modules/$1/build

	mkdir -p "$dir/include"
	grep -v "^CONFIG_$2=" "$root/usr/src/linux-headers-$r72/.config" >"$dir/.config"
}

# The packages that ours pull in, so that what is compared later is ours alone.
install_dependencies() {
	local needed

	# shellcheck disable=SC2046
	mapfile -t needed < <(in_root apt-get -s install $(debs "$v1") | awk '$1 == "Inst" && $2 !~ /^prism-/ {print $2}')
	root_install "${needed[@]}"
}

# unowned FILE: of such a list, what belongs to no package that is there now or was there
# before. Packages of kernels bring others, of other versions.
unowned() {
	awk 'NR == FNR { owned["." $0]; next } !($1 in owned)' <(cat "$work/owned" "$root"/var/lib/dpkg/info/*.list) "$1" |
		grep -vE '^\./var/lib/dkms/mok\.(key|pub) '
}

# nothing_left: the same files as before the packages came, but for keys that dkms made
# for itself.
nothing_left() {
	files >"$work/after"
	diff <(unowned "$work/before") <(unowned "$work/after") && is_sane
}

# What is refused, before anything is built.
refusals() {
	local needs="it needs linux-source-7.2 of version $version_72"

	# shellcheck disable=SC2046
	check "install: without linux-source it is said, and all is configured" \
		says "$r72: $needs, which is not installed" root_install $(debs "$v1")
	check "install: both are configured" are_installed "$v1"
	check "refused: no linux-source" refuses "$r72" "$needs, which is not installed"
	check "refused: linux-source of another version, tried as it is installed" \
		says "$needs, and that of version 7.2.1-1 is installed" root_install /srv/packages/other-source.deb
	check "refused: linux-source of another version" refuses "$r72" "$needs, and that of version 7.2.1-1 is installed"
	check "refused: that goes again" in_root apt-get -q purge linux-source-7.2
	other_kernel 7.2.1-other RUST
	check "refused: a kernel without CONFIG_RUST, as its headers are installed" says "it has no CONFIG_RUST" \
		in_root linux-run-hooks headers postinst 7.2.1-other -- configure
	check "refused: a kernel without CONFIG_RUST" refuses 7.2.1-other "it has no CONFIG_RUST"
	other_kernel 7.2.1-arm64 X86_64
	check "refused: a kernel of another architecture" refuses 7.2.1-arm64 "it is not of amd64"
	other_kernel 7.4.1-next NONE
	check "refused: a kernel of another series" refuses 7.4.1-next "this version of prism is for kernels of the series 7.2 7.3"
	rm -r "$root"/usr/lib/modules/{7.2.1-other,7.2.1-arm64,7.4.1-next}
	in_root /usr/lib/prism-dkms/kernel-tree sweep
	check "refused: that is forgotten with the kernel" test -z "$(cd "$root/var/lib/prism-dkms" && find . -name '7.[24].1-*')"
	check "refused: another rustc, as linux-source is installed" \
		instead /usr/bin/rustc '#!/bin/sh
echo "rustc 1.84.0"' says "and /usr/bin/rustc is 'rustc 1.84.0'" root_install "linux-source-7.2=$version_72"
	check "refused: no space" with_room 300 refuses "$r72" "/var/lib/prism-dkms needs"
	check "refused: pahole of another version would change the configuration" \
		instead /usr/bin/pahole '#!/bin/sh
echo v1.25' refuses "$r72" "the tools here change its configuration (CONFIG_PAHOLE"
}

tools_checks() {
	local name

	for name in prismctl prismd; do
		check "tools: $name runs" in_root "$name" --version
	done
	check "tools: manual pages" test -e "$root/usr/share/man/man1/prismctl.1.gz" -a -e "$root/usr/share/man/man8/prismd.8.gz"
	check "tools: bash can load the completions" in_root bash -c \
		'for name in prismctl prismd; do . /usr/share/bash-completion/completions/$name && complete -p $name || exit; done'
	check "tools: systemd understands the units" in_root bash -c \
		'x=$(systemd-analyze verify --man=no prism.service prismd.service 2>&1 | grep -E "prismd?\.service"); echo "$x"; [ -z "$x" ]'
	check "tools: prism.service is enabled" in_root systemctl is-enabled prism.service
	check "tools: prismd.service is not" says disabled in_root bash -c 'systemctl is-enabled prismd.service || :'
	check "tools: /etc/default/prismd is a configuration file of the package" in_root grep -qx /etc/default/prismd \
		/var/lib/dpkg/info/prism-tools.conffiles
}

upgrade() {
	local origin=$root/var/lib/prism-dkms/$r72/origin made

	made=$(stat -c %Y "$origin" || echo never)
	echo '# changed' >>"$root/etc/default/prismd"
	check "upgrade: prismd.service is enabled before" in_root systemctl enable prismd.service
	# shellcheck disable=SC2046
	check "upgrade: to $v2" root_install -o Dpkg::Options::=--force-confold $(debs "$v2")
	check "upgrade: both are configured" are_installed "$v2"
	check "upgrade: the module is built anew" is_built "$r72" "$v2"
	check "upgrade: the metadata is that of before" test "$(stat -c %Y "$origin")" = "$made"
	check "upgrade: no source of before is left" test ! -e "$root/usr/src/prism-$v1" -a ! -e "$root/var/lib/dkms/prism/$v1"
	check "upgrade: the configuration is kept" grep -qx '# changed' "$root/etc/default/prismd"
	check "upgrade: who enabled prismd.service has it" in_root systemctl is-enabled prismd.service
}

kernel_upgrade() {
	check "kernel upgrade: 7.3 is installed, with headers and source" \
		kernel_install "linux-image-$r73=$version_73" "linux-headers-$r73=$version_73" "linux-source-7.3=$version_73"
	check "kernel upgrade: the module is built for 7.3" is_built "$r73" "$v2"
	check "kernel upgrade: and still there for 7.2" is_built "$r72" "$v2"
	check "kernel upgrade: all is configured" are_installed "$v2"
}

kernel_removal() {
	check "kernel removal: 7.3 goes" in_root apt-get -q purge "linux-*-${r73%-amd64}*" linux-source-7.3
	check "kernel removal: the module and the metadata for it are gone" is_clean "$r73"
	check "kernel removal: those for 7.2 are not" is_built "$r72" "$v2"
	check "kernel removal: all is configured" are_installed "$v2"
}

removal() {
	touch "$root/etc/prism.toml"
	check "removal" in_root apt-get -q remove prism-dkms prism-tools
	check "removal: no module and no metadata is left" is_clean
	check "removal: configuration is left" grep -qx '# changed' "$root/etc/default/prismd"
	check "removal: and prism.toml" test -e "$root/etc/prism.toml"
	check "purge" in_root apt-get -q purge prism-dkms prism-tools
	check "purge: linux-source goes, too" in_root apt-get -q purge linux-source-7.2
	check "purge: nothing is left" nothing_left
}

again() {
	check "again: linux-source is installed" root_install "linux-source-7.2=$version_72"
	# shellcheck disable=SC2046
	check "again: installed after a purge" root_install $(debs "$v2")
	check "again: the module is built" is_built "$r72" "$v2"
	check "again: prismd.service is not enabled" says disabled in_root bash -c 'systemctl is-enabled prismd.service || :'
	check "again: linux-source goes, and the module stays" in_root apt-get -q purge linux-source-7.2
	# shellcheck disable=SC2046
	check "again: installed anew over itself, without linux-source" root_install --reinstall $(debs "$v2")
	check "again: the module is there, by the metadata that was kept" is_built "$r72" "$v2"
	check "again: the kernel is installed anew, without linux-source" root_install --reinstall "linux-image-$r72=$version_72"
	check "again: the module is there, by the same metadata" is_built "$r72" "$v2"
	check "again: headers go" in_root apt-get -q purge "linux-headers-${r72%-amd64}*"
	check "again: and with them the metadata, but not the module" test ! -e "$root/var/lib/prism-dkms/$r72" -a \
		-n "$(modules_of "$r72")"
}

removal_tests() {
	kernel_removal
	removal
	again
}

# prepare_root: the system, with a kernel and what our packages need.
prepare_root() {
	new_root "$root"
	make_other_source
	in_root apt-get -q update
	# Of the downloads in the cache, what is in the archive no longer.
	in_root apt-get -q autoclean
	kernel_install "linux-image-$r72=$version_72" "linux-headers-$r72=$version_72" libelf-dev
	install_dependencies
}

chroot_tests() {
	progress "installing a system with a kernel for the packages" "$logs/prepare.log" prepare_root
	files >"$work/before"
	cat "$root"/var/lib/dpkg/info/*.list >"$work/owned"
	refusals
	check "built once nothing is in the way any more" in_root dkms autoinstall -k "$r72"
	check "built: the module is installed for $r72" is_built "$r72" "$v1"
	tools_checks
	upgrade
	kernel_upgrade
}
