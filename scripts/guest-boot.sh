#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# guest-boot.sh KERNELDIR: what a guest needs to boot that kernel, made once;
# prints a directory with
#   initramfs      busybox and the modules that mount the root
#   modules.erofs  the modules a network guest may want, not compressed

. "$(dirname "$0")/lib.sh"
enter_toolroot "$0" "$@"

kernel=${1:?usage: guest-boot.sh KERNELDIR}
release=$(cat "$kernel/release")
all=$kernel/modules/lib/modules/$release

# To mount the root. A module that the kernel has built in is no loss.
early="virtio_pci virtio_blk nfit nd_pmem erofs overlay"

# Where the modules lie that a guest may load, and what it will not load.
wanted='^kernel/(net|lib|crypto|arch/x86/crypto|drivers/(net|virtio|char/hw_random|vhost)|fs/(9p|netfs|configfs|fuse|erofs|overlayfs))/|/(virtio_blk|nfit|nd_pmem|cfbfillrect)\.ko'
unwanted='^kernel/(net/(mac80211|wireless|bluetooth|nfc|sunrpc|ceph|rxrpc|smc|rds|tipc|batman-adv|can|ieee802154|atm|ax25|appletalk|dccp|openvswitch)|drivers/net/(wireless|usb|wwan|can|phy|ieee802154|hamradio|arcnet|fddi|plip|ppp|slip|wan|thunderbolt|dsa|ethernet))/'
nics='^kernel/drivers/net/(ethernet/(intel/e1000e?/|realtek/)|phy/)'

# The modules of the guest and all they depend on, as paths below $all.
chosen() {
	awk -v wanted="$wanted" -v unwanted="$unwanted" -v nics="$nics" '
		{ sub(":", "", $1) }
		($1 ~ wanted && $1 !~ unwanted) || $1 ~ nics { for (i = 1; i <= NF; i++) print $i }
	' "$all/modules.dep" | sort -u
}

unpack_modules() {
	local to=$1/modules/lib/modules/$release list

	mkdir -p "$to"
	cp "$all"/modules.{order,builtin,builtin.modinfo} "$to/"
	mapfile -t list < <(chosen)
	if [ ${#list[@]} -gt 0 ]; then
		(cd "$all" && cp --parents "${list[@]}" "$to/")
		find "$to" -name '*.ko.xz' -print0 | xargs -0 -r -n 32 -P "$(nproc)" xz -d
	fi
	depmod -b "$1/modules" "$release"
	mkfs.erofs "${erofs_options[@]}" --all-root "$1/modules.erofs" "$1/modules/lib/modules"
}

make_initramfs() {
	local root=$1/root module _

	mkdir -p "$root"/{bin,dev,proc,sys,modules,lower,upper,new}
	cp /bin/busybox "$root/bin/"
	install -m 755 "$PRISM_SRC/qemu/guest/initramfs" "$root/init"
	for module in $early; do
		modprobe -d "$1/modules" -S "$release" --show-depends "$module" || :
	done | awk '$1 == "insmod" && !seen[$2]++ {print $2}' >"$1/early"
	while read -r module _; do
		cp "$module" "$root/modules/"
		basename "$module"
	done <"$1/early" >"$root/modules/order"
	initramfs_of "$root" . >"$1/initramfs"
	rm -r "$root" "$1/early" "$1/modules"
}

make_boot() {
	unpack_modules "$1"
	make_initramfs "$1"
}

make_boot_dir() {
	progress "preparing $release for a guest" "$PRISM_CACHE/log/guest-boot.log" make_boot "$1"
}

key=$({ cat "$kernel/release" "$0" "$PRISM_SRC/scripts/lib.sh" "$PRISM_SRC/qemu/guest/initramfs"; } | hash_of)
dir=$PRISM_CACHE/boot/$release-$key
make_dir "$dir" make_boot_dir
echo "$dir"
