# SPDX-License-Identifier: GPL-2.0
#
# What the second guest and the cable say, as a table: for each rate of bulk traffic, the median of
# several rounds, and of counters the sum. Fails where nothing was measured, where PRISM did
# nothing for the service, or where vanilla's 99th percentile is not `least` times that with PRISM
# at the highest rate.

function add(what, mode, rate, value) { values[what, mode, rate] = values[what, mode, rate] " " value }
function of(what, mode, rate) { return median_of(what SUBSEP mode SUBSEP rate) }
function bad(text) { problems[++problem] = text }

# How many times lower than vanilla's.
function lower(what, mode, rate) {
	if (mode == "idle" || !(of(what, mode, rate) > 0))
		return "-"
	return sprintf("%.2f", of(what, "vanilla", rate) / of(what, mode, rate))
}

function row(mode, rate) {
	printf "%7d %-8s %8.0f %8.0f %6s %6s %9d %9d   %7d %10d %9d %7d %9d %6d\n", rate, labels[mode],
		of("median", mode, rate), of("p99", mode, rate), lower("median", mode, rate), lower("p99", mode, rate),
		asked[mode, rate] - answered[mode, rate], of("arrived", mode, rate), sums[mode, rate, "rules"],
		sums[mode, rate, "classified"], sums[mode, rate, "completed"], sums[mode, rate, "decapsulated"],
		sums[mode, rate, "delivered"], left[mode, rate]
	if (!answered[mode, rate])
		bad(rate "/s, " labels[mode] ": no request was answered")
	lost = asked[mode, rate] - answered[mode, rate]
	if ((mode == "prism" || mode == "sliced") && lost * 1000 > asked[mode, rate] && lost > asked["vanilla", rate] - answered["vanilla", rate])
		bad(rate "/s, " labels[mode] ": more requests have no answer than in vanilla")
}

# What holds wherever there was bulk traffic.
function check(rate,    i, m) {
	for (i = 1; i <= shown; i++)
		for (m = 2; m <= modes; m++)
			if (!sums[order[m], rate, column[i]])
				bad(rate "/s, " order[m] ": PRISM's counter \"" column[i] "\" did not move")
	if (sums["vanilla", rate, "classified"])
		bad(rate "/s: PRISM classified packets in mode off")
}

BEGIN {
	labels["idle"] = labels["vanilla"] = "vanilla"
	labels["prism"] = "PRISM"
	labels["sliced"] = "  sliced"
	modes = split("vanilla prism sliced", order, " ")
	shown = split("rules classified completed decapsulated delivered", column, " ")
}

$1 == "end" { ended = 1 }
$1 == "data" {
	place[++measured] = $2 SUBSEP $3
	if ($2 == "vanilla" && !rounds[$3]++)
		rates[++count] = $3
	add("arrived", $2, $3, $5)
	for (i = 6; i <= NF; i++) {
		split($i, pair, "=")
		sums[$2, $3, pair[1]] += pair[2]
		if (pair[1] ~ /^kernel_/)
			left[$2, $3] += pair[2]
	}
}
# The cable's, of each measurement in turn.
$1 == "answers" {
	split(place[++told], at, SUBSEP)
	asked[at[1], at[2]] += $2
	answered[at[1], at[2]] += $3
	add("median", at[1], at[2], $4)
	add("p99", at[1], at[2], $5)
	each[at[1], at[2]] = each[at[1], at[2]] " " $5
}

END {
	if (!ended || !count || measured != told) {
		print "no measurements"
		exit 1
	}
	line = sprintf("%122s", "")
	gsub(/ /, "-", line)
	printf "%7s %-8s %17s   %11s %9s %9s   %s\n", "bulk", "", "latency, us", "times lower", "not", "bulk",
		"packets, as PRISM counts them"
	printf "%7s %-8s %8s %8s %6s %6s %9s %9s   %7s %10s %9s %7s %9s %6s\n", "sent/s", "", "median", "p99", "med.", "p99",
		"answered", "arrived/s", "rule", "classified", "completed", "decaps.", "delivered", "kernel"
	print line
	row("idle", 0)
	for (r = 1; r <= count; r++) {
		for (m = 1; m <= modes; m++)
			row(order[m], rates[r])
		check(rates[r])
		if (rates[r] + 0 > highest + 0)
			highest = rates[r]
	}
	print line
	print "memcached as a service of a swarm, with the label io.prism.class=high, on Docker's overlay network."
	print "Bulk traffic: UDP to a container beside it."
	printf "Median of %d round%s of %d s; 99th percentiles of each:\n", rounds[highest], (rounds[highest] > 1 ? "s" : ""), seconds
	for (r = 1; r <= count; r++)
		printf "%7d/s: vanilla%s, PRISM%s, sliced%s.\n", rates[r], each["vanilla", rates[r]], each["prism", rates[r]],
			each["sliced", rates[r]]
	if (accel != "kvm")
		print "The guests run without KVM and are slow: not the figures tell something, their ratios do."
	if (least && !(of("p99", "prism", highest) > 0 && of("p99", "vanilla", highest) >= least * of("p99", "prism", highest)))
		bad(sprintf("at %d packets/s, of which %d %% arrive without PRISM, the 99th percentile is not %s times lower than vanilla's",
			highest, of("arrived", "vanilla", highest) * 100 / highest, least))
	for (i = 1; i <= problem; i++)
		print "error: " problems[i]
	exit problem > 0
}
