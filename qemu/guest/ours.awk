# SPDX-License-Identifier: GPL-2.0
# The kernel's log without the data races that KCSAN tells of in which no module of
# ours is: the kernel has some of its own.

/BUG: KCSAN/ {
	within = 1
	report = ""
}

!within {
	print
	next
}

{
	report = report $0 "\n"
}

/====================/ {
	if (report ~ /\[(prism|simnic)\]/)
		printf "%s", report
	within = 0
}

END {
	if (within)
		printf "%s", report
}
