# SPDX-License-Identifier: GPL-2.0
#
# promises.awk MATRIX RELIABILITY: prints Documentation/reliability.rst with how many checks of each
# promise's tests have passed in Documentation/matrix.txt, on all kernels together.

FNR == NR {
	# A test's line begins below the heading and ends before the guests'.
	if ($1 == "test" || $1 == "guest")
		is_test = $1 == "test"
	else if (is_test && NF)
		for (i = 2; i <= NF; i++) {
			# 2/30: two of these failed.
			n = split($i, of, "/")
			passed[$1] += n == 2 ? of[2] - of[1] : $i
		}
	next
}
/^   \* - / { cell = 1; sum = 0; is_heading = /promise$/ }
/^     - / { cell++ }
/^[^ ]/ { cell = 0 }
cell == 2 {
	words = split($0, word, "``")
	for (i = 2; i <= words; i += 2)
		sum += passed[word[i]]
}
cell == 3 && !is_heading && /^     - / {
	print "     - " (sum ? sum : "\\-")
	next
}
{ print }
