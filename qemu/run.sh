#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# run.sh: boot a guest, run a command in it, and exit with its status.

usage() {
	cat <<'END'
usage: qemu/run.sh [OPTION...] --cmd 'SHELL COMMAND'
  --kernel stock|cloud|rt|debug|kcsan|DIR
                            the kernel (default stock; KERNEL=7.2 for that series)
  --image test|demo|docker|FILE
                            the root file system (default test), or an erofs of one
  --systemd                 systemd of that boots it, and then runs COMMAND
  --share DIR               a copy of DIR is /prism in the guest, read-only
  --cmd COMMAND             bash runs it in the guest as root; its output is ours
  --interactive             a prompt in the guest, after COMMAND
  --timeout S               hard limit (default 600); exit status 124
  --smp N, --mem M          processors (2), MiB (1024; debug kernel 3072)
  --icount                  virtual time: an instruction is a nanosecond, one CPU
  --net LIST                networks, separated by commas (default virtio):
                              virtio        eth0 and eth1, on one hub
                              e1000e rtl8139  such a NIC and a virtio one, on a hub
                              connect:SOCKET[:N]  a NIC on a link to what listens at
                              that Unix socket, whose ring has N descriptors (256)
                              none
  --append ARGS             more for the kernel's command line
  --qemu ARGS               more for QEMU
  --log FILE                the console (default: kept in the cache on failure)
  --result FILE             what the guest writes to /run/guest/result

Exit status: that of COMMAND, or 1 where COMMAND succeeded and then the kernel
log, kmemleak or rmmod showed a mistake; 124 time limit; 125 no verdict.
END
}

. "$(dirname "$0")/../scripts/lib.sh"

kernel=stock image=test systemd='' share='' cmd='' interactive='' limit=600 smp=2 mem='' icount=''
net=virtio append='' extra='' log='' result=''
arguments=("$@")
while [ $# -gt 0 ]; do
	case $1 in
	--interactive) interactive=1 ;;
	--icount) icount=1 ;;
	--systemd) systemd=1 ;;
	-h | --help) usage; exit ;;
	--kernel | --image | --share | --cmd | --timeout | --smp | --mem | --net | --append | \
		--qemu | --log | --result)
		[ $# -ge 2 ] || die "$1 wants a value"
		case $1 in
		--kernel) kernel=$2 ;;
		--image) image=$2 ;;
		--share) share=$2 ;;
		--cmd) cmd=$2 ;;
		--timeout) limit=$2 ;;
		--smp) smp=$2 ;;
		--mem) mem=$2 ;;
		--net) net=$2 ;;
		--append) append+=" $2" ;;
		--qemu) extra+=" $2" ;;
		--log) log=$2 ;;
		--result) result=$2 ;;
		esac
		shift
		;;
	*) die "unknown option $1 (--help lists them)" ;;
	esac
	shift
done
[ -n "$cmd$interactive" ] || die "nothing to do: --cmd or --interactive"
[ -z "$share" ] || [ -d "$share" ] || die "--share $share: not a directory"

if ! in_toolroot; then
	case $image in
	*/*) PRISM_ROOT_IMAGE=$image ;;
	*) PRISM_ROOT_IMAGE=$("$PRISM_SRC/scripts/image.sh" "$image") ;;
	esac
	PRISM_BIND=${PRISM_BIND:+$PRISM_BIND:}$share:${log:+$(dirname "$log")}:${result:+$(dirname "$result")}
	PRISM_WINSIZE=$(stty size 2>/dev/null </dev/tty | grep -v '^0' || echo 24 80)
	export PRISM_ROOT_IMAGE PRISM_BIND PRISM_WINSIZE
	enter_toolroot "$0" "${arguments[@]}"
fi
rootimage=${PRISM_ROOT_IMAGE:-$("$PRISM_SRC/scripts/image.sh" "$image")}

case $kernel in
stock | cloud | rt | debug | kcsan) kerneldir=$("$PRISM_SRC/scripts/kernel.sh" "$kernel") ;;
*) kerneldir=$(cd "$kernel" && pwd) ;;
esac
boot=$("$PRISM_SRC/scripts/guest-boot.sh" "$kerneldir")
accel=$("$PRISM_SRC/scripts/accel.sh" "$kerneldir")
grep -q '^CONFIG_KASAN=y' "$kerneldir/config" && debug=1 || debug=

# A place for this run; those of runs that were killed go.
mkdir -p "$PRISM_CACHE/run"
for old in "$PRISM_CACHE"/run/*; do
	[ ! -d "$old" ] || kill -0 "${old##*/}" 2>/dev/null || rm -rf "$old"
done
run=$PRISM_CACHE/run/$$
mkdir "$run"
qemu_pid=
# shellcheck disable=SC2317
finish() {
	trap - EXIT INT TERM HUP
	if [ -n "$qemu_pid" ] && kill -0 "$qemu_pid" 2>/dev/null; then
		kill -TERM "$qemu_pid"
	fi
	rm -rf "$run"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# What this run adds to the initramfs: init, the job, its surroundings.
mkdir -p "$run/cpio/guest"
cp "$PRISM_SRC"/qemu/guest/{init,bad-lines,ours.awk} "$run/cpio/guest/"
printf '%s\n' "$cmd" >"$run/cpio/guest/job"
read -r rows columns <<<"${PRISM_WINSIZE:-24 80}"
printf '%s=%q\n' SYSTEMD "$systemd" INTERACTIVE "$interactive" TERMINAL "${TERM:-linux}" ROWS "$rows" COLUMNS "$columns" \
	>"$run/cpio/guest/env"
{
	cat "$boot/initramfs"
	initramfs_of "$run/cpio" guest
} >"$run/initramfs"

. "$PRISM_SRC/qemu/machine.sh"

console=${log:-$run/console}
: >"$console"
machine
if [ -n "$interactive" ]; then
	qemu-system-x86_64 "${args[@]}" -serial mon:stdio
	exit 0
fi
# An input that never ends, as QEMU closes the port where its input does. And
# whatever ends this script, however, ends timeout and with it QEMU.
mkfifo "$run/in"
run_machine() {
	setpriv --pdeathsig TERM timeout -k 2 "$limit" setpriv --pdeathsig KILL \
		qemu-system-x86_64 "${args[@]}" -serial "file:$console" <>"$run/in" 2>"$run/qemu.err" &
	qemu_pid=$!
}

# is_up: the guest is, or has ended, in time. Where a host is very busy, QEMU now and
# then loses a timer of a CPU that comes up, and the guest waits for it.
is_up() {
	local s

	for ((s = 0; s < ${PRISM_BOOT_LIMIT:-300}; s++)); do
		sleep 1
		! grep -q '^up' "$run/verdict" 2>/dev/null && kill -0 "$qemu_pid" 2>/dev/null || return 0
	done
	return 1
}

for attempt in 1 2 3; do
	run_machine
	[ $attempt = 3 ] || is_up && break
	kill -TERM "$qemu_pid"
	wait "$qemu_pid" || :
	[ -z "$log" ] || cp "$log" "${log%.log}-boot-$attempt.log"
	say "the guest does not come up; started again${log:+ (${log%.log}-boot-$attempt.log)}"
done
ended=0
wait "$qemu_pid" || ended=$?
qemu_pid=

status=$(sed -n 's/^status \([0-9]*\)$/\1/p' "$run/verdict" 2>/dev/null || :)
if [ "$ended" = 124 ] || [ "$ended" = 137 ]; then
	say "the guest was stopped after $limit s"
	status=124
elif [ -z "$status" ]; then
	say "the guest ended without a verdict"
	cat "$run/qemu.err" >&2
	status=125
fi
[ -z "$result" ] || cp "$run/result" "$result"
if [ "$status" != 0 ]; then
	if [ -z "$log" ]; then
		log=$PRISM_CACHE/log/console-$$.log
		cp "$console" "$log"
	fi
	[ "$status" -lt 124 ] || tail -n 40 "$log" >&2
	say "status $status; the console is in $log"
fi
exit "$status"
