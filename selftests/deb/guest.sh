# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154
#
# The system of the other tests, booted with each of its kernels by its own systemd. What
# guests test is in in-guest.sh. Part of run.sh.

# What compilers are made of, drivers of what a guest does not have, and all that only a
# build needs: nobody reads it there.
absent=(./usr/lib/{llvm-\*,gcc,rustlib} ./usr/libexec/gcc ./usr/lib/x86_64-linux-gnu/lib{LLVM,clang,rustc}\*
	./usr/share/{locale,icons} ./usr/src/linux-source\* ./var/lib/prism-dkms/\*/{source,build}
	./usr/lib/modules/\*/{vmlinuz,kernel/sound}
	./usr/lib/modules/\*/kernel/drivers/{gpu,media,staging,infiniband,usb,scsi,iio,input,hid,hwmon,mtd}
	./usr/lib/modules/\*/kernel/drivers/net/{wireless,ethernet,usb}
	./usr/lib/modules/\*/kernel/fs/{xfs,btrfs,nfs,nfsd,ocfs2,smb,ceph,f2fs,gfs2,jfs,ntfs3,ubifs}
	./{proc,sys,dev,tmp,run,srv}/\* ./var/cache/\* ./var/lib/apt/lists)

# make_system: the root file system of the guests.
make_system() {
	local tree=$work/system release

	mkdir -p "$tree"
	tar -c -C "$root" "${absent[@]/#/--exclude=}" . | tar -x -C "$tree"
	for release in "$r72" "$r73"; do
		"$PRISM_SRC/scripts/in-toolroot.sh" depmod -b "$tree" "$release"
	done
	cp "$PRISM_SRC/selftests/deb/prism.toml" "$tree/etc/prism.toml"
	# As the packages have it; it was enabled for what comes after.
	rm -f "$tree"/etc/systemd/system/{multi-user.target,docker.service}.wants/prismd.service
	"$PRISM_SRC/scripts/in-toolroot.sh" mkfs.erofs "${erofs_options[@]}" "$work/system.erofs" "$tree"
	rm -rf "$tree"
}

# kernel_dir RELEASE: that kernel as run.sh takes one.
kernel_dir() {
	local dir=$work/kernel-$1 from=$root/usr/lib/modules/$1

	mkdir -p "$dir/modules/lib/modules"
	cp "$from/vmlinuz" "$from/config" "$dir/"
	echo "$1" >"$dir/release"
	cp -r "$from" "$dir/modules/lib/modules/"
	echo "$dir"
}

# boot RELEASE: the tests there, counted on.
boot() {
	local rc=0

	PRISM_BOOT_LIMIT=900 "$PRISM_SRC/qemu/run.sh" --kernel "$(kernel_dir "$1")" --image "$work/system.erofs" \
		--systemd --mem 2048 --net none --timeout 3000 --share "$work/share" --log "$logs/console-$1.log" \
		--cmd "exec bash /prism/in-guest.sh $1 $v2 $v3" >"$logs/guest-$1.log" || rc=$?
	[ "$(grep -cE '^(not )?ok ' "$logs/guest-$1.log")" -gt 0 ] || echo "not ok no test ran" >>"$logs/guest-$1.log"
	while IFS=$'\t' read -r result what; do
		count=$((count + 1))
		echo "$result $count ${1%%+*}: $what"
	done < <(sed -nE 's/^(not ok|ok) /\1\t/p' "$logs/guest-$1.log")
	count=$((count + 1))
	if [ $rc = 0 ]; then
		echo "ok $count ${1%%+*}: the guest ended well"
	else
		echo "not ok $count ${1%%+*}: the guest ended with $rc"
		sed 's/^/# /' "$logs/guest-$1.log"
	fi
	rm -rf "$work/kernel-$1"
}

guest_tests() {
	make_system
	mkdir -p "$work/share"
	"$PRISM_SRC/scripts/tools.sh"
	cp "$PRISM_SRC/selftests/deb/in-guest.sh" "$packages/$v3"/prism-{dkms,tools}_*.deb \
		"$PRISM_SRC/tools/target/x86_64-unknown-linux-gnu/release/fake-docker" "$work/share/"
	boot "$r72"
	boot "$r73"
}
