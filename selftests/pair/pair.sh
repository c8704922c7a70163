# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Two guests, each a host of containers, joined by a cable: what the demo and the
# measurements in wall-clock time share. Source it after scripts/lib.sh; set
#   what    whose guests they are, for progress lines and logs
#   ko      a prism.ko that is there already; it is built otherwise
#   limit   for how many seconds a guest may run
#   image, memory   what the guests are made of, and how many MiB they have
#   ready   for how many seconds the first one may take to start its services
#   ring    how many descriptors their NICs have to receive
#   ahead   by how much the first guest has priority over the second one, and the cable a little more than that

pair=$PRISM_SRC/selftests/pair
ko='' limit=600 image=demo memory=1024 ready=180 ring=256 ahead=0
work=
pids=()
# shellcheck disable=SC2317
finish() {
	local pid

	trap - EXIT
	trap '' INT TERM HUP
	for pid in "${pids[@]}"; do
		kill -TERM "$pid" 2>/dev/null || :
	done
	for pid in "${pids[@]}"; do
		wait "$pid" 2>/dev/null || :
	done
	[ -z "$work" ] || rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# prepare DIR: what takes long the first time is done first, where it tells of its
# progress. The guests get DIR as /prism/$what/guest, beside that of this directory.
prepare() {
	scripts/image.sh "$image" >/dev/null
	if [ -z "$ko" ]; then
		progress "building prism.ko" "build/log/$what-build.log" scripts/build.sh stock
		ko=prism.ko
	fi
	scripts/in-toolroot.sh cargo build --quiet --release --locked \
		--manifest-path "$pair/traffic/Cargo.toml" --target-dir "$PRISM_SRC/build/pair"
	accel=$(scripts/accel.sh "$(scripts/kernel.sh stock)")
	# A guest without KVM cannot measure it where processors are scarce.
	clock=
	[ "$accel" = kvm ] || clock=tsc_early_khz=$(build/pair/release/tsc)
	work=$(mktemp -d "$PRISM_SRC/build/pair/run.XXXXXX")
	mkdir -p "$work/share/pair" "$work/share/$what"
	cp "$ko" "$work/share/prism.ko"
	cp -r "$pair/guest" "$work/share/pair/"
	cp -r "$1" "$work/share/$what/guest"
	cp build/pair/release/{memprobe,udpprobe,bulk} "$work/share/"
}

# with_priority ABOVE COMMAND...: with so much more than others, where this user may give it. A subshell
# becomes the command.
with_priority() {
	local above=$1
	shift
	[ -n "$(nice -n "-$above" true 2>&1)" ] || set -- nice -n "-$above" "$@"
	exec "$@"
}

# cable: what the guests are joined by. Takes what traffic is wanted from a fifo.
rates=
cable() {
	local arguments

	# shellcheck disable=SC2154
	mapfile -t arguments < <(
		. "$pair/guest/common.sh"
		printf '%s\n' "$VNI" "${port[neighbour]}" \
			"$client_mac,$client_host" "$server_mac,$server_host" \
			"$(mac_of bulk),${address[bulk]}" "$(mac_of neighbour),${address[neighbour]}"
	)
	mkfifo "$work/rates"
	exec {rates}<>"$work/rates"
	# No wire waits for a processor.
	with_priority $((ahead ? ahead + 1 : 0)) build/pair/release/cable "$work/to-server" "$work/to-client" "$work/rates" \
		"${arguments[@]}" >"$work/answers" 2>"$work/cable.err" &
	pids+=($!)
}

# guest NAME PROCESSORS ABOVE COMMAND: starts one, with so much priority; its pid is the last of pids.
guest() {
	local name=$1

	mkdir -p build/log
	with_priority "$3" qemu/run.sh --image "$image" --mem "$memory" --share "$work/share" --net "connect:$work/to-$name:$ring" \
		--qemu "-name $name,debug-threads=on" --smp "$2" --append "$clock" --timeout "$limit" \
		--log "$PRISM_SRC/build/log/$what-$name.log" --cmd "$4" \
		>"$work/$name" 2>"$work/$name.err" &
	pids+=($!)
}

# processors: those of this machine that may be used.
processors() {
	local cpu

	for cpu in /sys/devices/system/cpu/cpu[0-9]*; do
		! taskset -c "${cpu##*/cpu}" true 2>/dev/null || echo "${cpu##*/cpu}"
	done
}

# qemu_of NAME: the process that is that guest.
qemu_of() {
	local pid

	for pid in $(pgrep -x qemu-system-x86); do
		! grep -qaF "$work/to-$1" "/proc/$pid/cmdline" || echo "$pid"
	done
}

# place apart|anywhere: where all that runs, as far as this user may say, on a machine that has two processors only: apart,
# what brings packets and the processor of the first guest that receives them have the one, and that of its services the
# other, with the second guest. So services wait for no packets but in their own host.
place() {
	local cpus server client task

	mapfile -t cpus < <(processors)
	[ ${#cpus[@]} = 2 ] || return 0
	server=$(qemu_of server) client=$(qemu_of client)
	if [ "$1" = anywhere ]; then
		pin "${cpus[0]},${cpus[1]}" "$server" "${pids[2]}" "$client"
		return
	fi
	pin "${cpus[0]}" "$server" "${pids[2]}"
	pin "${cpus[1]}" "$client"
	for task in "/proc/$server/task"/*; do
		[[ $(<"$task/comm") != "CPU 1/"* ]] ||
			taskset -c -p "${cpus[1]}" "${task##*/}" >/dev/null 2>&1 || :
	done
}

# pin PROCESSORS PROCESS...: all threads of these.
pin() {
	local where=$1 process
	shift

	for process; do
		taskset -a -c -p "$where" "$process" >/dev/null 2>&1 || :
	done
}

start=$SECONDS
progress_line() { say "$what: $((SECONDS - start)) s: $*"; }

# failed NAME: says why that guest did not do its work, as far as is known.
failed() {
	local why

	why=$(sed -n 's/^error //p' "$work/$1" | head -n 1)
	# Without the cable there is nobody to answer.
	[ ! -s "$work/cable.err" ] || why=$(cat "$work/cable.err")
	grep -v '^\[' "$work/$1.err" | tail -n 5 >&2 || :
	die "the $1 guest failed${why:+: $why}; its console is in build/log/$what-$1.log"
}

# wait_ready: until the first guest's services run.
wait_ready() {
	local until=$((SECONDS + ready))

	until grep -q '^step' "$work/server"; do
		kill -0 "${pids[0]}" 2>/dev/null || failed server
		[ $SECONDS -lt $until ] || failed server
		sleep 0.5
	done
	progress_line "the first guest is ready"
}

# follow: tells what the second guest does, and the cable what it wants, and places them as it says, until it
# ends.
follow() {
	local word rest

	while read -r word rest; do
		case $word in
		step) progress_line "$rest" ;;
		inject) echo "$rest" >&"$rates" ;;
		place) place "$rest" ;;
		esac
	done < <(tail -n +1 -F --pid="${pids[1]}" "$work/client" 2>/dev/null)
}

# run_pair SERVER CLIENT: these commands in the two guests. What the second one
# says, and the cable behind it, is in build/log/$what.data afterwards.
run_pair() {
	local processors=1

	[ "$(nproc)" -lt 4 ] || processors=2
	progress_line "starting two guests ($accel)"
	guest server 2 "$ahead" "$1"
	guest client "$processors" 0 "$2"
	cable
	wait_ready
	follow
	cat "$work/client" "$work/answers" >"build/log/$what.data"
	! grep -q "^error " "$work/client" || failed client
	kill -0 "${pids[0]}" 2>/dev/null || grep -q '^end$' "$work/client" || failed server
	wait "${pids[1]}" || failed client
	wait "${pids[0]}" || failed server
	wait "${pids[2]}" || say "the cable: $(cat "$work/cable.err")"
	pids=()
	progress_line "done"
}
