# SPDX-License-Identifier: GPL-2.0
#
# The lines that the second guest says, as a table. Of several rounds it shows
# the median, of counters the sum. Fails where a client got nothing done, or
# where PRISM did nothing for it.

function add(key, value) { values[key] = values[key] " " value }

function ratio(what, service, mode,    base) {
	base = median_of(what SUBSEP service SUBSEP "vanilla")
	return base > 0 ? sprintf("%.2f", median_of(what SUBSEP service SUBSEP mode) / base) : "-"
}

function bad(text) { problems[++problem] = text }

function row(service, mode, label,    i, line) {
	line = sprintf("%-10s %-13s %9.0f %9.0f %8.0f %-5s %6s %5s %5s  ", service, label,
		median_of("median" SUBSEP service SUBSEP mode), median_of("p99" SUBSEP service SUBSEP mode),
		median_of("rate" SUBSEP service SUBSEP mode), unit[service] "/s",
		ratio("median", service, mode), ratio("p99", service, mode), ratio("rate", service, mode))
	for (i = 1; i <= shown; i++)
		line = line sprintf(" %10d", sums[service, mode, column[i]])
	print line sprintf(" %7d", left[service, mode])
	if (!(median_of("rate" SUBSEP service SUBSEP mode) > 0))
		bad(service ", " label ": the client got no answers")
	if (mode == "sync" || mode == "isolated")
		for (i = 1; i <= shown; i++)
			if (!sums[service, mode, column[i]])
				bad(service ", " label ": PRISM's counter \"" column[i] "\" did not move")
	if (mode == "vanilla" && sums[service, mode, "classified"])
		bad(service ": PRISM classified packets in mode off")
}

BEGIN {
	shown = split("rule classified completed decapsulated delivered", column, " ")
	labels["idle"] = "no bulk"
	labels["vanilla"] = "vanilla"
	labels["sync"] = "PRISM sync"
	labels["isolated"] = "  isolated"
	modes = split("idle vanilla sync isolated", order, " ")
}

$1 == "bulk" { bulk_rate = $2 }
$1 == "gap" { gap = $2 }
$1 == "end" { ended = 1 }

$1 == "data" {
	if (!($2 in unit))
		service[++services] = $2
	unit[$2] = $8
	seen[$2, $3] = 1
	add("median" SUBSEP $2 SUBSEP $3, $5)
	add("p99" SUBSEP $2 SUBSEP $3, $6)
	add("rate" SUBSEP $2 SUBSEP $3, $7)
	for (i = 9; i <= NF; i++) {
		split($i, pair, "=")
		if (pair[1] == "bulk")
			add(pair[1] SUBSEP $3, pair[2])
		else
			sums[$2, $3, pair[1]] += pair[2]
		if (pair[1] ~ /^kernel_/) {
			left[$2, $3] += pair[2]
			reasons[pair[1]] += pair[2]
		}
	}
}

END {
	if (!services || !ended) {
		print "no measurements"
		exit 1
	}
	rule = sprintf("%138s", "")
	gsub(/ /, "-", rule)
	printf "%-24s %19s %14s %18s   %s\n", "", "latency, us", "throughput", "ratio to vanilla",
		"packets, as PRISM counts them"
	printf "%-10s %-13s %9s %9s %14s %6s %5s %5s  ", "service", "mode", "median", "p99", "",
		"med.", "p99", "thr."
	printf " %10s %10s %10s %10s %10s %7s\n", "rule", "classified", "completed", "decaps.", "delivered", "kernel"
	print rule
	for (s = 1; s <= services; s++) {
		for (m = 1; m <= modes; m++)
			if (seen[service[s], order[m]])
				row(service[s], order[m], labels[order[m]])
		print rule
	}
	for (m = 2; m <= modes; m++)
		printf "%-10s %-13s %37d %s\n", "neighbour", labels[order[m]],
			median_of("bulk" SUBSEP order[m]), "pkt/s"
	print rule
	text = reasons_text()
	print "rule: packets that the service's rule counted. kernel: handed back to the kernel at some stage" \
		(text ? ", because:" : ".")
	printf "%s", text
	printf "Median of %d round%s of %d s. Bulk traffic: UDP from %s, %d packets/s, under which the NIC\n" \
		"  interrupts once in %d us, that is, for 64 packets. The bridge asks netfilter, which tracks connections.\n",
		rounds, (rounds > 1 ? "s" : ""), seconds, (kind == "bursts" ? "the cable" : "sockperf"), bulk_rate, gap
	print "memcached: throughput as memaslap tells it; latency of single gets beside it, by a client of the demo," \
		"\n  since memaslap tells no percentiles.  nginx: wrk.  echo: sockperf, UDP, both ways."
	if (accel != "kvm")
		print "The guests run without KVM and are slow: not the figures tell something, their ratios do."
	for (i = 1; i <= problem; i++)
		print "error: " problems[i]
	exit problem > 0
}

function reasons_text(    name, text) {
	for (name in reasons)
		text = text sprintf("  %s %d\n", name, reasons[name])
	return text
}
