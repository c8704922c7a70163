#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# demo.sh [--quick | --shell] [--rounds N] [--seconds S] [--bulk sockperf|bursts]
#         [--rate PACKETS] [--module FILE]
#
# Two guests, each a host of containers. Services in the first are used by
# clients in the second, while a neighbour of theirs gets bulk traffic: with
# PRISM off, in mode sync, and in that with isolation in turn, several rounds. Ends
# with one table.
#   --quick   one short round, and a line of KTAP instead of the table
#   --shell   a prompt in one guest with PRISM loaded and containers running
#   --bulk    who sends it: sockperf in the second guest, or the cable between
#             the two, in bursts
#   --rate    of bulk traffic, in packets a second; it is found by trying otherwise
#   --module  a prism.ko that is there already

. "$(dirname "$0")/../../scripts/lib.sh"
. "$PRISM_SRC/selftests/pair/pair.sh"

here=$PRISM_SRC/selftests/demo
what=demo
rounds=5 seconds=4 rate=auto quick='' shell='' kind=''

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

# table: the measurements as one table. Fails if there is nothing to show.
table() {
	awk -v accel="$accel" -v kind="$kind" -v rounds="$rounds" -v seconds="$seconds" \
		-f "$pair/median.awk" -f "$here/table.awk" build/log/demo.data
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

cd "$PRISM_SRC"
unset KDIR
if [ -n "$shell" ]; then
	scripts/tools.sh >/dev/null
	prepare "$here/guest"
	cp build/tools/prismctl "$work/share/"
	qemu/run.sh --image demo --share "$work/share" --interactive --append "$clock" \
		--cmd "bash /prism/demo/guest/shell.sh"
	exit
fi
if [ -n "$quick" ]; then
	trap 'rc=$?; finish; [ $rc = 0 ] || echo "not ok 1 demo"; exit $rc' EXIT
fi
prepare "$here/guest"
# Where the guests share few processors, an emulated sender takes what the receiver
# needs.
[ -n "$kind" ] || { [ "$accel" = kvm ] && [ "$(nproc)" -ge 4 ] && kind=sockperf || kind=bursts; }
limit=$((300 + (3 * rounds + 1) * 3 * (seconds + 10)))
run_pair "bash /prism/demo/guest/server.sh $kind" \
	"bash /prism/demo/guest/client.sh $rounds $seconds $kind $rate"
if [ -n "$quick" ]; then quick_verdict; else table; fi
