#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# accel.sh KERNELDIR: print kvm or tcg, by booting: /dev/kvm may exist and still
# not run a guest. The answer holds until this machine boots anew.

. "$(dirname "$0")/lib.sh"
enter_toolroot "$0" "$@"

memo=$PRISM_CACHE/accel/$(id -u)-$(cat /proc/sys/kernel/random/boot_id)

# A kernel without a root panics and so leaves QEMU: that is a boot.
boots() {
	local log rc=0

	log=$(mktemp)
	(timeout -k 1 20 qemu-system-x86_64 -accel kvm -cpu host -m 512 -nodefaults -no-user-config \
		-display none -no-reboot -serial "file:$log" -kernel "$1/vmlinuz" \
		-append "console=ttyS0 panic=-1" || exit) >/dev/null 2>&1 &&
		grep -q "Kernel panic" "$log" || rc=1
	rm -f "$log"
	return $rc
}

if [ -n "${PRISM_ACCEL-}" ]; then
	echo "$PRISM_ACCEL"
	exit
fi
if [ ! -e "$memo" ]; then
	accel=tcg
	if [ -w /dev/kvm ]; then
		say "trying whether KVM works here"
		! boots "$1" || accel=kvm
	fi
	[ $accel = kvm ] || say "no working KVM: guests are emulated, and slow"
	mkdir -p "$PRISM_CACHE/accel"
	echo $accel >"$memo.$$"
	mv "$memo.$$" "$memo"
fi
cat "$memo"
