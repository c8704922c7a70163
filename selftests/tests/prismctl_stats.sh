#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# prismctl by rule and by CPU, from the NIC of the measurements: what is dropped, and how long
# what waits takes, are what the module's files have.

. "${0%/*}/../lib.sh"
trap ended_early EXIT

dir=/run/selftests.prismctl_stats
rm -rf $dir
mkdir $dir
enable=/sys/kernel/debug/prism/latency/enable

# ctl ARG...: its status is in `status`, its output in `out`, what it complains of in `complaint`.
ctl() {
	status=0
	"$SELFTESTS"/bin/prismctl "$@" >$dir/out 2>$dir/complaint </dev/null || status=$?
	out=$(<$dir/out) complaint=$(<$dir/complaint)
}

# does DESCRIPTION ARG...
does() {
	local what=$1
	shift

	ctl "$@"
	equal "$what" "$status $complaint" "0 " "$out"
}

# bulk FILTER: of the rule bulk in the JSON that was printed.
bulk() { jq -r ".rules[] | select(.name == \"bulk\") | $1" $dir/out; }

# total COUNTER...: of the module's counters.
total() {
	local name value sum=0

	for name; do
		read -r value <"$PRISM/stats/$name"
		sum=$((sum + value))
	done
	echo $sum
}

has_lines() { [ "$(wc -l <$dir/top)" -ge "$1" ]; }

# The times are those of this test alone.
rmmod prism
insmod "$SELFTESTS"/../prism.ko
sim_load
sim_up
echo "$sim_ip 5003" >"$sim"/sinks
rule bulk vni=none protocol=udp destination_port=5003 class=bulk
rule idle vni=none protocol=udp destination_port=5009
mode sync
isolate 1
knob limit 32
echo "much rate=2000 burst=200 destination_port=5003 source=$sim_peer_ip destination=$sim_ip" >"$sim"/flows

does "rules have no times before" stats --rules --all
matches "both are there, with no packets" "$out" $'\n''bulk +bulk +0 +0 +0 +- +-'$'\n''idle +high +0 +0 +0 +- +-'$'\n'
matches "and it is told how to measure" "$out" "times are not measured: prismctl top --latency"
does "without times there are no bars" stats --rules --histogram
equal "nor rules that have met anything" "$out" $'no rule has met a packet\ntimes are not measured: prismctl top --latency'

# What top shows meanwhile, from its second line on.
: >$dir/top
"$SELFTESTS"/bin/prismctl --json top --batch 100 --latency >$dir/top 2>$dir/complaint </dev/null &
top=$!
check "top begins" wait_for 60 has_lines 1
counters
sim_traffic 200
counted
check "and goes on" wait_for 60 has_lines $(($(wc -l <$dir/top) + 2))
kill $top
wait $top
equal "and ends" "$(<$enable)" 0
at_least "much is dropped" "${delta[dropped_bulk]}" 100
check "what waited was served or dropped" wait_for 5 reconciles
# What is dropped in parts of two intervals adds up.
equal "top has it as rates of the rule" \
	"$(jq -s '[.[] | .seconds as $seconds | .rules[] | select(.name == "bulk") | .dropped_per_second * $seconds] | add | round' $dir/top)" \
	"${delta[dropped_bulk]}"
equal "and in all" "$(jq -s '.[-1].rules[] | select(.name == "bulk") | .dropped' $dir/top)" "${delta[dropped_bulk]}"
equal "none of the other" "$(jq -s '[.[].rules[] | select(.name == "idle") | .dropped, .dropped_per_second] | add' $dir/top)" 0
at_least "by CPU, too" "$(jq -s '[.[].cpus_per_second[].dropped] | max | ceil' $dir/top)" 1
at_least "and how long it waited" \
	"$(jq -s '[.[].rule_latency[] | select(.rule == "bulk" and .kind == "waited") | .packets] | add' $dir/top)" 10
equal "which is what is told of the rule" \
	"$(jq -r '.rules[] | select(.name == "bulk" and .latency_kind) | "\(.latency_kind) \(.p50_ns > 0 and .p50_ns <= .p99_ns)"' $dir/top | sort -u)" \
	"waited true"

does "by rule and CPU as JSON" --json stats --rules --cpus
equal "the rule has what its files have" "$(bulk '"\(.class) \(.enabled) \(.packets) \(.bytes) \(.dropped)"')" \
	"bulk true $(cat "$RULES"/bulk/{packets,bytes,dropped} | tr '\n' ' ' | sed 's/ $//')"
equal "which is what was dropped" "$(bulk .dropped)" "${delta[dropped_bulk]}"
equal "its packets have waited" "$(bulk '[.latency[].kind] | join(" ")')" waited
equal "in as many as the module has measured" "$(bulk '.latency[0].packets')" \
	"$(awk '$1 == "bulk" { sum += $4 } END { print sum + 0 }' /sys/kernel/debug/prism/latency/waited_by_rule)"
equal "in the same buckets" "$(bulk '.latency[0].buckets[] | map(tostring) | join(" ")')" \
	"$(sed -n 's/^bulk //p' /sys/kernel/debug/prism/latency/waited_by_rule)"
equal "the other has none" "$(jq -c '.rules[] | select(.name == "idle") | [.packets, .dropped, .latency]' $dir/out)" "[0,0,[]]"
equal "times are not measured any more" "$(jq -c '[.latency_is_measured, .latency_unknown]' $dir/out)" "[false,null]"
equal "CPUs have dropped as much as the module" "$(jq '[.cpu_sums[].dropped] | add' $dir/out)" \
	"$(total dropped dropped_{high,interactive,normal,bulk,held} purged)"
equal "with each counter" "$(jq '[.cpus[].dropped_bulk] | add' $dir/out)" "$(total dropped_bulk)"

does "by rule as text" stats --rules
matches "drops and times are there" "$out" \
	$'\n'"bulk +bulk +$(<"$RULES"/bulk/packets) +$(<"$RULES"/bulk/bytes) +${delta[dropped_bulk]} +[0-9.]+[num]?s +[0-9.]+[num]?s +w"$'\n'
equal "and no rule without packets" "$(grep -c ^idle <<<"$out")" 0
does "with bars" stats --rules --histogram
matches "which say whose they are" "$out" $'\n''bulk: waited'$'\n'' +[1-9][0-9]* packets, half of them within '
at_least "and are lines" "$(grep -c ' to .*█$' <<<"$out")" 1 "$out"
equal "as many as packets" "$(awk '$2 == "to" { sum += $4 } END { print sum + 0 }' <<<"$out")" \
	"$(awk '$1 == "bulk" { sum += $4 } END { print sum + 0 }' /sys/kernel/debug/prism/latency/waited_by_rule)"
does "by CPU as text" stats --cpus
equal "with drops in all" "$(awk 'NR > 1 { sum += $5 } END { print sum }' <<<"$out")" \
	"$(total dropped dropped_{high,interactive,normal,bulk,held} purged)"
does "a rule is shown" rule show bulk
matches "with what was dropped" "$out" $'\n'"dropped +${delta[dropped_bulk]}"

ctl stats --histogram
equal "bars are of rules" "$status" 2
matches "and it is said" "$complaint" "--rules"

# Who may not read, and where there is nothing to be read.
as_nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups "$SELFTESTS"/bin/prismctl "$@" 2>&1; }
matches "others are told why CPUs are not shown" "$(as_nobody stats --cpus)" \
	"what each CPU has counted is not known: only root may read /sys/kernel/debug/prism/counters"
matches "nor rules" "$(as_nobody stats --rules)" "only root may do that"
no_debugfs() {
	unshare --mount bash -c 'mount -t tmpfs none /sys/kernel/debug && exec "$@" 2>&1' bash "$SELFTESTS"/bin/prismctl "$@"
}
without="there is no /sys/kernel/debug/prism: mount -t debugfs none /sys/kernel/debug"
matches "without debugfs it is said" "$(no_debugfs stats --cpus)" "is not known: $without"
matches "also of bars" "$(no_debugfs stats --rules --histogram)" "how long packets of rules took is not known: $without"
out=$(no_debugfs stats --rules)
matches "counts of rules are there" "$out" $'\n'"bulk +bulk +[1-9][0-9]* +[1-9][0-9]* +${delta[dropped_bulk]} +- +-"
matches "and why there are no times" "$out" "there are no times: $without"

echo none >"$sim"/flows
restore_knobs
isolate 0
sim_down
clean
finish
