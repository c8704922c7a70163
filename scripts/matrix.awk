# SPDX-License-Identifier: GPL-2.0
#
# Reads the logs of guests, whose names are those of their files, and prints which kernel
# passed how many checks of each test: "-" where it did not run there, and "2/30" where 2
# of 30 failed. Guests called NAME-1 and NAME-2 share the tests of kernel NAME.

function finish_test(name) {
	if (!(name in known)) {
		known[name] = 1
		tests[++n_tests] = name
	}
	passed[name, kernel] += ok
	failed[name, kernel] += bad
	ran[name, kernel] = 1
	ok = bad = 0
}

function cell(name, kernel) {
	if (!((name, kernel) in ran))
		return "-"
	if (failed[name, kernel])
		return failed[name, kernel] "/" failed[name, kernel] + passed[name, kernel]
	return passed[name, kernel]
}

FNR == 1 {
	kernel = FILENAME
	gsub(/.*\/|(-[0-9]+)?\.log$/, "", kernel)
	if (!(kernel in has)) {
		has[kernel] = 1
		kernels[++n_kernels] = kernel
	}
	ok = bad = last = 0
}
{ match($0, /^ */); depth = RLENGTH }
# What is less deep than the one before is the sum of those.
/^ +(not )?ok / && depth >= last && !/# *SKIP/ {
	if ($1 == "ok")
		ok++
	else
		bad++
}
/^ *(not )?ok / { last = depth }
/^(not )?ok [0-9]+ / {
	# What failed without a check that did, such as by what the kernel said.
	if ($1 == "not" && !bad)
		bad++
	finish_test($1 == "not" ? $4 : $3)
}
END {
	printf "%-18s", "test"
	for (k = 1; k <= n_kernels; k++)
		printf " %9s", kernels[k]
	print ""
	for (t = 1; t <= n_tests; t++) {
		# In the order of their names.
		least = ""
		for (name in known)
			if (least == "" || name < least)
				least = name
		delete known[least]
		printf "%-18s", least
		for (k = 1; k <= n_kernels; k++)
			printf " %9s", cell(least, kernels[k])
		print ""
	}
}
