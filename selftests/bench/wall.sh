#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# wall.sh: the paper's experiments in wall-clock time, in two guests, in each mode
# in turn. Prints a table and writes build/bench-wall/results.json. From the
# environment:
#   EXPERIMENT=A,B  only these of: idle high-load rate overlay host sweep memcached
#                   nginx, and of those that are not the paper's: receiver values-1k
#                   values-1m
#   ROUNDS=N        the median of so many is shown (5)
#   DURATION=S      of a measurement, in seconds (4)
#   MODES=A,B       vanilla, and modes of PRISM (vanilla,sync); and with mode sync:
#                   slice (receiver_slice_us), nice and realtime, how memcached is
#                   scheduled; bypass and keep, what GRO does
#   OUT=DIR         instead of build/bench-wall
# wall.sh docs: makes what Documentation/benchmarks-wall.rst shows.

. "$(dirname "$0")/../../scripts/lib.sh"
. "$PRISM_SRC/selftests/pair/pair.sh"
. "$PRISM_SRC/selftests/bench/tool.sh"

what='bench-wall'
papers=idle,high-load,rate,overlay,host,sweep,memcached,nginx
all=$papers,receiver,values-1k,values-1m
experiments=${EXPERIMENT:-$papers} rounds=${ROUNDS:-5} seconds=${DURATION:-4}
modes=${MODES:-vanilla,sync} out=${OUT:-build/bench-wall}

[[ $rounds =~ ^[1-9][0-9]?$ ]] || die "ROUNDS=$rounds: expected a number from 1 to 99"
[[ $seconds =~ ^[1-9][0-9]?$ ]] || die "DURATION=$seconds: expected a number from 1 to 99"
[[ $modes =~ ^vanilla(,[a-z]+)*$ ]] ||
	die "MODES=$modes: expected vanilla, and modes of PRISM with commas between them"
for experiment in ${experiments//,/ }; do
	[[ ,$all, = *",$experiment,"* ]] ||
		die "EXPERIMENT=$experiment: there is no such experiment, only ${all//,/, }"
done

cd "$PRISM_SRC"
unset KDIR

case ${1-run} in
run) ;;
docs)
	docs=Documentation/benchmarks/wall.txt
	{
		printf '%s\n' "# SPDX-License-Identifier: GPL-2.0" "$ make bench-wall"
		OUT=build/bench-wall-docs "$0" | grep -v '^results:'
	} >build/wall.txt
	exec mv build/wall.txt $docs
	;;
*) die "usage: wall.sh [run | docs]" ;;
esac

prepare "$here/wall"
build
cells=$(tr -cd , <<<"$experiments,,,,,")
limit=$((400 + rounds * ${#cells} * $(tr , "\n" <<<"$modes" | wc -l) * (seconds + 15)))
run_pair "bash /prism/$what/guest/server.sh" \
	"bash /prism/$what/guest/client.sh $modes $experiments $rounds $seconds"
about "$(scripts/kernel.sh stock)" "$ko"
"$bench" wall build/log/$what.data --out "$out" "${about[@]}" --about "accel=$accel" \
	--about "seconds=$seconds"
