#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# prismctl shows what happens: as text and JSON, and on a terminal, which is as before
# when it ends.

. "${0%/*}/../lib.sh"
trap ended_early EXIT

dir=/run/selftests.prismctl_top
rm -rf $dir
mkdir $dir
enable=/sys/kernel/debug/prism/latency/enable

# ctl ARG...: its status is in `status`, its output in `out`, what it complains of in `complaint`.
ctl() {
	status=0
	"$SELFTESTS"/bin/prismctl "$@" >$dir/out 2>$dir/complaint </dev/null || status=$?
	out=$(<$dir/out) complaint=$(<$dir/complaint)
}

underlay
overlay_bridge
high flow vni=100 protocol=udp destination_port=5001
rule other vni=100 protocol=udp destination_port=5002 class=bulk
mode sync
udp4 --count 5
background flow udp --from remote --to c1 --source "$remote_ip" --destination "$c1_ip" --count 0 --rate 200

ctl top
equal "without a terminal it says what to do" "$status $complaint" \
	"2 prismctl: standard output is no terminal: prismctl top --once, or --batch TIMES"
ctl --json top
equal "nor is there a screen of JSON" "$status $complaint" \
	'2 {"error":"a screen is no JSON: prismctl --json top --once, or --batch TIMES"}'
ctl top --once --latency
equal "text is printed" "$status $complaint" "0 "
for title in rules CPUs latency "rule latency" "host drops"; do
	matches "with $title" $'\n'"$out"$'\n' $'\n'"$title"$'\n'
done
matches "the flow's rule has packets" "$out" $'\n''flow +high +yes +[1-9][0-9.k]* '
matches "the other's has none" "$out" $'\n''other +bulk +yes +0 '
matches "a CPU looks them up" "$out" $'\n''[0-9]+ +[1-9][0-9.k]* +[1-9][0-9.k]* '
matches "times are measured" "$out" $'\n''high +delivered +[1-9][0-9]* +[0-9.]+[um]s '
matches "by rule, too" "$out" $'\n''flow +delivered +[1-9][0-9]* +[0-9.]+[um]s '
matches "the flow's rule has dropped nothing, and has times" "$out" \
	$'\n''flow +high +yes +[1-9][0-9.k]* +[1-9][0-9.k]* +0 +[0-9.]+[um]s +[0-9.]+[um]s +[1-9][0-9]* +0'$'\n'
matches "the other's has none" "$out" $'\n''other +bulk +yes +0 +0 +0 +- +- '
equal "as long as it runs" "$(<$enable)" 0
ctl top --once
matches "or it is told how to" "$out" 'not measured: prismctl top --latency'

echo 1 >$enable
ctl --json top --batch 3 --latency
equal "JSON is printed, a line each time" "$status $(wc -l <$dir/out)" "0 3"
equal "with rules by name" "$(jq -r '.rules | map(.name) | join(" ")' $dir/out | sort -u)" "flow other"
at_least "with rates" "$(jq -s '[.[].rules[0].packets_per_second] | min | floor' $dir/out)" 10 "$out"
at_least "and those of CPUs" "$(jq -s '[.[].cpus_per_second[].looked_up] | max | floor' $dir/out)" 10 "$out"
equal "nothing of the flow's rule is dropped" \
	"$(jq -c '.rules[] | select(.name == "flow") | .dropped == 0 and .dropped_per_second == 0' $dir/out | sort -u)" true "$out"
equal "its times are those of what is delivered" \
	"$(jq -r '.rules[] | select(.name == "flow") | "\(.latency_kind) \(.p50_ns > 0 and .p50_ns <= .p99_ns)"' $dir/out | sort -u)" \
	"delivered true" "$out"
at_least "as many as come" "$(jq -s '[.[].rule_latency[] | select(.rule == "flow") | .packets] | add' $dir/out)" 30 "$out"
equal "and there are none of the other" \
	"$(jq -c '[.rule_latency[] | select(.rule == "other")]' $dir/out | sort -u)" "[]"
equal "with buckets that are as many as packets" \
	"$(jq -c '[.latency[], .rule_latency[] | .packets == ([.buckets[][2]] | add)] | unique' $dir/out | sort -u)" "[true]"
equal "what was measured before is later" "$(<$enable)" 1
echo 0 >$enable

"$SELFTESTS"/bin/prismctl top --batch 8 --latency >/dev/null 2>&1 &
longer=$!
is_measured() { [ "$(<$enable)" = 1 ]; }
check "one that measures" wait_for 5 is_measured
ctl top --once --latency
equal "is not ended by another" "$status $(<$enable)" "0 1"
wait $longer
equal "and the last one ends it" "$(<$enable)" 0

# On a terminal: script(1) is one. Keys come from a fifo; what is shown goes to a file.
# screen KEYS SIGNAL: runs it there, with these keys, and ends it.
screen() {
	rm -f $dir/keys
	mkfifo $dir/keys
	(
		exec 3<>$dir/keys
		TERM=xterm script -qfec "stty cols 80 rows 24; stty -a >$dir/before; $SELFTESTS/bin/prismctl top --latency; echo status \$? >$dir/status; stty -a >$dir/after" \
			$dir/typescript <&3 >/dev/null 2>&1
	) &
	shown=$!
	exec 4>$dir/keys
	wait_for 30 grep -qs once $dir/typescript || fail "it is shown" "$(<$dir/typescript)"
	pause 1.5
	printf '%s' "$1" >&4
	pause 0.5
	if [ -n "${2-}" ]; then
		pkill "-$2" -x prismctl
	else
		printf q >&4
	fi
	exec 4>&-
	wait_for 30 has_ended || fail "it ends" "$(<$dir/typescript)"
	kill $shown 2>/dev/null
	wait $shown 2>/dev/null
}
has_ended() { [ -s $dir/after ]; }

if ! command -v script >/dev/null; then
	skip "on a terminal" "script(1) is not there"
else
	for signal in "" TERM HUP QUIT; do
		rm -f $dir/before $dir/after $dir/status
		screen $'\t\t\t' $signal
		equal "${signal:-q} ends it well" "$(<$dir/status)" "status 0"
		equal "${signal:-q}: the terminal is as before" "$(<$dir/after)" "$(<$dir/before)"
		matches "${signal:-q}: and shows what it did" "$(tail -c 200 $dir/typescript)" $'\e\\[\\?1049l'
		equal "${signal:-q}: nothing is measured any more" "$(<$enable)" 0
	done
	matches "views were shown" "$(<$dir/typescript)" 'delivered'
fi
ended flow
arrived "the flow meanwhile"

out=$(setpriv --reuid 65534 --regid 65534 --clear-groups "$SELFTESTS"/bin/prismctl top --once 2>&1)
matches "others see what they may" "$out" 'only root may know'
finish
