# SPDX-License-Identifier: GPL-2.0
#
# The lines that the second guest says, as a table. Of several rounds it shows the median, of
# counters the sum. Fails where nothing was measured, where PRISM did nothing for the service, or
# where vanilla's 99th percentile is not `least` times that with PRISM.

function add(what, mode, value) { values[what SUBSEP mode] = values[what SUBSEP mode] " " value }
function of(what, mode) { return median_of(what SUBSEP mode) }
function bad(text) { problems[++problem] = text }

# How many times lower than vanilla's.
function lower(what, mode) {
	return of(what, mode) > 0 ? sprintf("%.2f", of(what, "vanilla") / of(what, mode)) : "-"
}

BEGIN {
	labels["idle"] = "no bulk"
	labels["vanilla"] = "vanilla"
	labels["prism"] = "PRISM"
	modes = split("idle vanilla prism", order, " ")
	shown = split("rules classified completed decapsulated delivered", column, " ")
}

$1 == "bulk" { bulk_rate = $2 }
$1 == "end" { ended = 1 }
$1 == "trial" { trials = trials sprintf(" %d:%d", $2, $3) }
$1 == "data" {
	seen[$2]++
	add("median", $2, $4)
	add("p99", $2, $5)
	add("rate", $2, $6)
	add("bulk", $2, $7)
	each[$2] = each[$2] sprintf(" %.0f", $5)
	for (i = 8; i <= NF; i++) {
		split($i, pair, "=")
		sums[$2, pair[1]] += pair[2]
		if (pair[1] ~ /^kernel_/)
			left[$2] += pair[2]
	}
}

END {
	if (!ended || !seen["vanilla"] || !seen["prism"]) {
		print "no measurements"
		exit 1
	}
	rule = sprintf("%122s", "")
	gsub(/ /, "-", rule)
	printf "%-8s %20s %13s %14s %12s   %s\n", "", "latency, us", "times lower", "", "", "packets, as PRISM counts them"
	printf "%-8s %10s %9s %7s %5s %14s %12s   %7s %10s %9s %7s %9s %6s\n", "service", "median", "p99", "med.", "p99",
		"answers", "neighbour", "rule", "classified", "completed", "decaps.", "delivered", "kernel"
	print rule
	for (m = 1; m <= modes; m++) {
		mode = order[m]
		if (!seen[mode])
			continue
		printf "%-8s %10.0f %9.0f %7s %5s %12.0f/s %7d pkt/s   %7d %10d %9d %7d %9d %6d\n", labels[mode],
			of("median", mode), of("p99", mode), lower("median", mode), lower("p99", mode), of("rate", mode),
			of("bulk", mode), sums[mode, "rules"], sums[mode, "classified"], sums[mode, "completed"],
			sums[mode, "decapsulated"], sums[mode, "delivered"], left[mode]
		if (!(of("rate", mode) > 0))
			bad(labels[mode] ": the client got no answers")
	}
	print rule
	if (sums["vanilla", "broken"] + sums["prism", "broken"])
		printf "Connections of the load that were reset: %d with vanilla, %d with PRISM.\n",
			sums["vanilla", "broken"], sums["prism", "broken"]
	for (i = 1; i <= shown; i++)
		if (!sums["prism", column[i]])
			bad("PRISM's counter \"" column[i] "\" did not move")
	if (sums["vanilla", "classified"])
		bad("PRISM classified packets in mode off")
	print "memcached as a service of a swarm, with the label io.prism.class=high, on Docker's overlay network."
	printf "Median of %d round%s of %d s; 99th percentiles of each: vanilla%s, PRISM%s.\n", seen["vanilla"],
		(seen["vanilla"] > 1 ? "s" : ""), seconds, each["vanilla"], each["prism"]
	printf "Bulk traffic: UDP to a container beside it, %d packets/s.%s\n", bulk_rate,
		(trials ? " Packets/s that were sent and that arrived:" trials "." : "")
	if (accel != "kvm")
		print "The guests run without KVM and are slow: not the figures tell something, their ratios do."
	if (least && !(of("p99", "prism") > 0 && of("p99", "vanilla") >= least * of("p99", "prism")))
		bad("the 99th percentile is not " least " times lower than vanilla's")
	for (i = 1; i <= problem; i++)
		print "error: " problems[i]
	exit problem > 0
}
