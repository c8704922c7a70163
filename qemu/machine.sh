# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2054,SC2154
#
# The command line of QEMU, in args, from the options of run.sh.

hub=0
nic=0

# card MODEL NETDEV: one NIC; its MAC address tells its number.
card() {
	local mac=52:54:00:00:00:0$nic

	nic=$((nic + 1))
	args+=(-device "$1,netdev=$2,mac=$mac")
}

# hub MODEL: a NIC of that model and a virtio one that reach each other.
on_hub() {
	args+=(-netdev "hubport,id=h${hub}a,hubid=$hub" -netdev "hubport,id=h${hub}b,hubid=$hub")
	card "$1" "h${hub}a"
	card virtio-net-pci "h${hub}b"
	hub=$((hub + 1))
}

# link SOCKET DESCRIPTORS: a NIC whose other end listens there, with a ring of so many.
link() {
	args+=(-netdev "stream,id=l$nic,server=off,reconnect-ms=200,addr.type=unix,addr.path=$1")
	card "virtio-net-pci,rx_queue_size=$2" "l$nic"
}

networks() {
	local spec socket descriptors

	for spec in ${net//,/ }; do
		case $spec in
		virtio) on_hub virtio-net-pci ;;
		e1000e | rtl8139 | e1000) on_hub "$spec" ;;
		connect:*)
			IFS=: read -r _ socket descriptors <<<"$spec"
			link "$socket" "${descriptors:-256}"
			;;
		none) ;;
		*) die "--net $spec: no such network" ;;
		esac
	done
}

# disks FILE...: the guest finds them in this order. With virtual time a disk is
# memory: its reads take no time, and no interrupt comes at a moment that only
# this machine knows. What is added last is the first of those.
disks() {
	local n=0 file devices=()

	for file; do
		n=$((n + 1))
		if [ -n "$icount" ]; then
			devices=(-object "memory-backend-file,id=disk$n,mem-path=$file,size=$(stat -c %s "$file"),readonly=on"
				-device "nvdimm,memdev=disk$n,unarmed=on" "${devices[@]}")
		else
			devices+=(-drive "file=$file,if=none,id=disk$n,format=raw,readonly=on"
				-device "virtio-blk-pci,drive=disk$n")
		fi
	done
	args+=("${devices[@]}")
}

port() {
	args+=(-chardev "$1" -device "virtserialport,chardev=$2,name=prism.$2")
}

cmdline() {
	echo "console=ttyS0 panic=-1 oops=panic mitigations=off no_timer_check tsc=reliable"
	echo "net.ifnames=0 log_buf_len=4M"
	[ -z "$debug" ] || echo "panic_on_warn=1 kmemleak=on"
	[ -n "$interactive" ] && echo "quiet" || echo "loglevel=6"
	echo "$append"
}

# Without five-level page tables: an early interrupt, while the kernel patches
# itself for them, looks to KASAN like an access to memory that is not there.
machine() {
	local words files

	args=(-nodefaults -no-user-config -display none -no-reboot)
	mem=${mem:-${debug:+3072}}
	if [ -n "$icount" ]; then
		args+=(-M q35,nvdimm=on -m "${mem:-1024},slots=3,maxmem=16G")
	else
		args+=(-M q35 -m "${mem:-1024}")
	fi
	if [ -n "$icount" ]; then
		# A string instruction of bytes is counted once for each byte, where
		# processors move whole lines: the kernel shall copy and clear by words.
		args+=(-accel tcg,thread=single -icount shift=0,sleep=off -smp 1
			-cpu max,la57=off,erms=off,fsrm=off,fsrs=off,fsrc=off,fzrm=off)
		# What else differs from run to run: the time of day, and random numbers.
		args+=(-rtc base=2026-01-01T00:00:00,clock=vm -seed 1)
	elif [ "$accel" = kvm ]; then
		args+=(-accel kvm -cpu host -smp "$smp")
	else
		args+=(-accel tcg,thread=multi,tb-size=512 -cpu max,la57=off -smp "$smp")
	fi
	mapfile -t words < <(cmdline)
	args+=(-kernel "$kerneldir/vmlinuz" -initrd "$run/initramfs" -append "${words[*]}")
	[ -n "$icount" ] || args+=(-device virtio-rng-pci)
	files=("$rootimage" "$boot/modules.erofs")
	if [ -n "$share" ]; then
		mkfs.erofs "${erofs_options[@]}" --all-root "$run/share.erofs" "$share" >/dev/null
		files+=("$run/share.erofs")
	fi
	disks "${files[@]}"
	# With event indices, QEMU may miss that the guest has written, and then does
	# for good: it looks at the queue before its own index is seen.
	args+=(-device "virtio-serial-pci,event_idx=off${icount:+,ioeventfd=off}")
	[ -n "$interactive" ] || port stdio,id=out,signal=on out
	port "file,id=verdict,path=$run/verdict" verdict
	port "file,id=result,path=$run/result" result
	networks
	read -r -a words <<<"$extra"
	args+=("${words[@]}")
}
