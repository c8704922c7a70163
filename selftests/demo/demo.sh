#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# demo.sh [--quick | --shell] [--rounds N] [--seconds S] [--bulk sockperf|bursts]
#         [--rate PACKETS] [--module FILE]
#
# Two guests, each a host of containers. Services in the first are used by
# clients in the second, while a neighbour of theirs gets bulk traffic: with
# PRISM off and in mode sync in turn, several rounds. Ends with one table.
#   --quick   one short round, and a line of KTAP instead of the table
#   --shell   a prompt in one guest with PRISM loaded and containers running
#   --bulk    who sends it: sockperf in the second guest, or the cable between
#             the two, in bursts
#   --rate    of bulk traffic, in packets a second; it is found by trying otherwise
#   --module  a prism.ko that is there already

. "$(dirname "$0")/../../scripts/lib.sh"

here=$PRISM_SRC/selftests/demo
rounds=6 seconds=4 rate=auto quick='' shell='' kind='' ko=''

while [ $# -gt 0 ]; do
	case $1 in
	--quick) quick=1 rounds=1 seconds=2 rate=3000 ;;
	--shell) shell=1 ;;
	--rounds | --seconds | --bulk | --rate | --module)
		[ $# -ge 2 ] || die "$1 wants a value"
		case $1 in
		--rounds) rounds=$2 ;;
		--seconds) seconds=$2 ;;
		--bulk) kind=$2 ;;
		--rate) rate=$2 ;;
		--module) ko=$(realpath "$2") ;;
		esac
		shift
		;;
	-h | --help) sed -n '/^# demo.sh/,/^$/s/^# \?//p' "$0"; exit ;;
	*) die "unknown option $1 (--help lists them)" ;;
	esac
	shift
done
[[ $rounds =~ ^[1-9][0-9]?$ && $seconds =~ ^[1-9][0-9]?$ ]] ||
	die "--rounds and --seconds want a number from 1 to 99"
[[ $rate =~ ^(auto|[1-9][0-9]{2,6})$ ]] || die "--rate wants a number from 100 to 9999999"
case $kind in '' | sockperf | bursts) ;; *) die "--bulk wants sockperf or bursts" ;; esac

cd "$PRISM_SRC"
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

# What takes long the first time is done first, where it tells of its progress.
prepare() {
	scripts/image.sh demo >/dev/null
	if [ -z "$ko" ]; then
		progress "building prism.ko" build/log/demo-build.log scripts/build.sh stock
		ko=prism.ko
	fi
	scripts/in-toolroot.sh cargo build --quiet --release --locked \
		--manifest-path "$here/traffic/Cargo.toml" --target-dir "$PRISM_SRC/build/demo"
	accel=$(scripts/accel.sh "$(scripts/kernel.sh stock)")
	# A guest without KVM cannot measure it where processors are scarce.
	clock=
	[ "$accel" = kvm ] || clock=tsc_early_khz=$(build/demo/release/tsc)
	work=$(mktemp -d "$PRISM_SRC/build/demo/run.XXXXXX")
	mkdir "$work/share"
	cp "$ko" "$work/share/prism.ko"
	cp -r "$here/guest" "$work/share/demo"
	cp build/demo/release/{memprobe,bulk} "$work/share/"
}

# cable: what the guests are joined by. Takes rates of bulk traffic from a fifo.
rates=
cable() {
	local arguments

	# shellcheck disable=SC2154
	mapfile -t arguments < <(
		. "$here/guest/common.sh"
		printf '%s\n' "$VNI" "${port[neighbour]}" \
			"$client_mac,$client_host" "$server_mac,$server_host" \
			"$(mac_of bulk),${address[bulk]}" "$(mac_of neighbour),${address[neighbour]}"
	)
	mkfifo "$work/rates"
	exec {rates}<>"$work/rates"
	build/demo/release/cable "$work/to-server" "$work/to-client" "$work/rates" "${arguments[@]}" \
		2>"$work/cable.err" &
	pids+=($!)
}

# guest NAME PROCESSORS COMMAND: starts one; its pid is the last of pids.
guest() {
	local name=$1

	mkdir -p build/log
	qemu/run.sh --image demo --share "$work/share" --net "connect:$work/to-$name" --smp "$2" \
		--append "$clock" --timeout "$limit" --log "$PRISM_SRC/build/log/demo-$name.log" --cmd "$3" \
		>"$work/$name" 2>"$work/$name.err" &
	pids+=($!)
}

progress_line() { say "demo: $((SECONDS - start)) s: $*"; }

# failed NAME: says why that guest did not do its work, as far as is known.
failed() {
	local why

	why=$(sed -n 's/^error //p' "$work/$1" | head -n 1)
	# Without the cable there is nobody to answer.
	[ ! -s "$work/cable.err" ] || why=$(cat "$work/cable.err")
	grep -v '^\[' "$work/$1.err" | tail -n 5 >&2 || :
	die "the ${1/_/ } guest failed${why:+: $why}; its console is in build/log/demo-$1.log"
}

# wait_ready: until the first guest's services run.
wait_ready() {
	local until=$((SECONDS + 180))

	until grep -q '^step' "$work/server"; do
		kill -0 "${pids[0]}" 2>/dev/null || failed server
		[ $SECONDS -lt $until ] || failed server
		sleep 0.5
	done
	progress_line "the first guest is ready"
}

# follow: tells what the second guest does, until it ends.
follow() {
	local word rest

	while read -r word rest; do
		case $word in
		step) progress_line "$rest" ;;
		inject) echo "$rest" >&"$rates" ;;
		bulk) progress_line "bulk traffic: $rest packets/s" ;;
		esac
	done < <(tail -n +1 -F --pid="${pids[1]}" "$work/client" 2>/dev/null)
}

measure() {
	local processors=1

	[ "$(nproc)" -lt 4 ] || processors=2
	progress_line "starting two guests ($accel)"
	guest server 2 "bash /prism/demo/server.sh $kind"
	guest client "$processors" "bash /prism/demo/client.sh $rounds $seconds $kind $rate"
	cable
	wait_ready
	follow
	kill -0 "${pids[0]}" 2>/dev/null || grep -q '^end$' "$work/client" || failed server
	wait "${pids[1]}" || failed client
	wait "${pids[0]}" || failed server
	wait "${pids[2]}" || say "the cable: $(cat "$work/cable.err")"
	pids=()
	cp "$work/client" build/log/demo.data
	progress_line "done"
}

# table: the measurements as one table. Fails if there is nothing to show.
table() {
	awk -v accel="$accel" -v kind="$kind" -v rounds="$rounds" -v seconds="$seconds" \
		-f "$here/table.awk" build/log/demo.data
}

# quick_verdict: the same as one test.
quick_verdict() {
	local rc=0 out line

	out=$(table) || rc=1
	printf 'KTAP version 1\n1..1\n'
	while IFS= read -r line; do
		echo "# $line"
	done <<<"$out"
	[ $rc = 0 ] && echo "ok 1 demo" || echo "not ok 1 demo"
	return $rc
}

unset KDIR
start=$SECONDS
if [ -n "$shell" ]; then
	prepare
	qemu/run.sh --image demo --share "$work/share" --interactive --append "$clock" \
		--cmd "bash /prism/demo/shell.sh"
	exit
fi
if [ -n "$quick" ]; then
	trap 'rc=$?; finish; [ $rc = 0 ] || echo "not ok 1 demo"; exit $rc' EXIT
fi
prepare
# Where the guests share few processors, an emulated sender takes what the receiver
# needs.
[ -n "$kind" ] || { [ "$accel" = kvm ] && [ "$(nproc)" -ge 4 ] && kind=sockperf || kind=bursts; }
limit=$((300 + (2 * rounds + 1) * 3 * (seconds + 10)))
measure
if [ -n "$quick" ]; then quick_verdict; else table; fi
