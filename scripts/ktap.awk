# SPDX-License-Identifier: GPL-2.0
#
# Reads KTAP, passes it on, and appends "passed failed skipped" to the file
# named by the variable sum. Counts the innermost results. A plan that is not
# kept, or none at all, is a failure: what ended early did not pass. What follows the
# line "# started again" goes on behind the last test that ended.

function result(depth, ok, skip,    d, parent) {
	parent = 0
	for (d in open)
		if (d + 0 > depth) {
			close_level(d + 0)
			parent = 1
		}
	seen[depth]++
	open[depth] = 1
	if (parent && (ok || failed > failed_before[depth])) {
		failed_before[depth] = failed
		return
	}
	if (skip)
		skipped++
	else if (ok)
		passed++
	else
		failed++
	failed_before[depth] = failed
}

# The results of one level are all in: were they as many as planned?
function close_level(d) {
	if (!(d in plan)) {
		if (d > 0 || seen[d] == 0)
			complain("a test printed no plan")
		else
			complain("no plan")
	} else if (plan[d] != seen[d])
		complain("planned " plan[d] " tests, saw " seen[d])
	delete open[d]
	delete plan[d]
	delete seen[d]
}

function complain(what) {
	print "# prism: " what
	failed++
}

{ print; fflush() }
{ match($0, /^ */); depth = RLENGTH }
/^# started again/ {
	for (d in open)
		if (d + 0 > 0) {
			delete open[d]
			delete plan[d]
			delete seen[d]
		}
	passed = ended["passed"]
	failed = failed_before[0] = ended["failed"]
	skipped = ended["skipped"]
	is_again = 1
}
/^1\.\.[0-9]+/ && is_again { next }
/^ *1\.\.[0-9]+/ { plan[depth] = substr($1, 4) + 0; open[depth] = 1; found = 1 }
/^ *(not )?ok([ \t]|$)/ { result(depth, $1 == "ok", /# *SKIP/) }
/^(not )?ok([ \t]|$)/ {
	ended["passed"] = passed
	ended["failed"] = failed
	ended["skipped"] = skipped
}
END {
	for (d in open)
		close_level(d + 0)
	if (!found)
		complain("no test printed a plan")
	print passed + 0, failed + 0, skipped + 0 > sum
}
