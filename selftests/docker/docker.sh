#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# docker.sh [--rounds N] [--seconds S] [--rates PACKETS,...] [--least RATIO] [--module FILE]
#           [--checks] [--check NAME]...
#
# Two guests with the Docker engine, joined by a cable: a swarm with an overlay network. A
# service in the first carries a label, by which prismd makes a rule; the cable asks it, as a
# container of the second would, while a container beside it gets bulk traffic. Without PRISM and
# with it in turn, several rounds. Ends with one table.
#   --rates   of bulk traffic, in packets a second; each is measured. "overload" is the first of which
#             the receiving processor has less than a twentieth of its time left, without PRISM, from 17000
#             on in steps of 1.1
#   --least   fail where vanilla's 99th percentile is not so many times that with PRISM at the
#             highest rate
#   --module  a prism.ko that is there already
#   --checks  then, the checks of Docker, podman and Flannel too; all of it as KTAP
#   --check   only this check, and no measurement

. "$(dirname "$0")/../../scripts/lib.sh"
. "$PRISM_SRC/selftests/pair/pair.sh"

here=$PRISM_SRC/selftests/docker
# shellcheck disable=SC2034
what=docker image=docker memory=2048 ready=900 ring=1024 ahead=15
rounds=5 seconds=10 bulk=8000,16000,overload least=0 ktap=''
checks=()

all_checks() { sed -n 's/^check_\([a-z_]*\)() .*/\1/p' "$here/guest/checks.sh"; }

while [ $# -gt 0 ]; do
	case $1 in
	--checks) ktap=1; mapfile -t checks < <(all_checks) ;;
	--rounds | --seconds | --rates | --least | --module | --check)
		[ $# -ge 2 ] || die "$1 wants a value"
		case $1 in
		--rounds) rounds=$2 ;;
		--seconds) seconds=$2 ;;
		--rates) bulk=$2 ;;
		--least) least=$2 ;;
		--module) ko=$(realpath "$2") ;;
		--check) ktap=1 rounds=0; checks+=("$2") ;;
		esac
		shift
		;;
	-h | --help) sed -n '/^# docker.sh/,/^$/s/^# \?//p' "$0"; exit ;;
	*) die "unknown option $1 (--help lists them)" ;;
	esac
	shift
done
[[ $rounds =~ ^[0-9][0-9]?$ && $seconds =~ ^[1-9][0-9]?$ ]] ||
	die "--rounds and --seconds want a number from 1 to 99"
[[ $bulk, =~ ^(([1-9][0-9]{2,6}|overload),)+$ ]] ||
	die "--rates wants numbers from 100 to 9999999 or \"overload\", with commas in between"
[[ $least =~ ^[0-9]+(\.[0-9]+)?$ ]] || die "--least wants a number"
for name in "${checks[@]}"; do
	all_checks | grep -qx "$name" || die "--check $name is not one of: $(all_checks | tr '\n' ' ')"
done

# table: the measurements as one table. Fails if there is nothing to show, or not enough.
table() {
	awk -v accel="$accel" -v least="$least" -v seconds="$seconds" -f "$pair/median.awk" -f "$here/table.awk" build/log/docker.data
}

# results VERDICT: the measurement and the checks as tests, and how the guests have ended.
results() {
	local number=0 failed=0 out line name rc

	printf 'KTAP version 1\n1..%d\n' $((${#checks[@]} + (rounds > 0) + 1))
	if [ "$rounds" -gt 0 ]; then
		rc=0 number=1
		out=$(table) || rc=1
		while IFS= read -r line; do
			echo "# $line"
		done <<<"$out"
		failed=$rc
		if [ $rc = 0 ]; then echo "ok 1 latency"; else echo "not ok 1 latency"; fi
	fi
	for name in "${checks[@]}"; do
		number=$((number + 1))
		line=$(grep -E "^(not )?ok $name$" build/log/docker.data || echo "not ok $name")
		sed -n "s/^# $name: /# /p" build/log/docker.data
		[[ $line = ok* ]] || failed=1
		echo "${line/ok /ok $number }"
	done
	if [ "$1" = 0 ]; then
		echo "ok $((number + 1)) guests"
	else
		tail -n 20 build/log/docker.verdict | sed 's/^/# /'
		failed=1
		echo "not ok $((number + 1)) guests"
	fi
	return $failed
}

cd "$PRISM_SRC"
unset KDIR
export VNI=4242
scripts/tools.sh >/dev/null
prepare "$here/guest"
# Where the machine is busy, an emulated processor stands still for long.
clock+=" rcupdate.rcu_cpu_stall_timeout=180 watchdog_thresh=60 workqueue.watchdog_thresh=180"
clock+=" sysctl.kernel.hung_task_timeout_secs=600"
mkdir -p "$work/share/bin"
cp build/tools/{prismctl,prismd} "$work/share/bin/"
commas=${bulk//[^,]/}
limit=$((1800 + 3 * rounds * (${#commas} + 1) * (seconds + 20) + 400 * ${#checks[@]}))
run=(run_pair "VNI=$VNI bash /prism/docker/guest/server.sh"
	"VNI=$VNI bash /prism/docker/guest/client.sh $rounds $seconds $bulk ${checks[*]}")
if [ -z "$ktap" ]; then
	"${run[@]}"
	table
	exit
fi
# What has passed has, however the guests end.
rm -f build/log/docker.data
verdict=0
(
	trap finish EXIT
	"${run[@]}" 2> >(tee build/log/docker.verdict >&2)
) || verdict=$?
results $verdict
