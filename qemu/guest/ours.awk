# SPDX-License-Identifier: GPL-2.0
# The kernel's log without the data races that KCSAN tells of in which no module of
# ours takes part: the kernel has some of its own. Who takes part is among the three that
# are closest to the access; further out, a module of ours may only have had a packet
# received. And without what a CPU says that receives while it goes offline: what is left to
# ksoftirqd is taken to another one.

held != "" {
	if (!/ CPU [0-9]+ is now offline/)
		printf "%s", held
	held = ""
}

/NOHZ tick-stop error: local softirq work is pending, handler #08!/ && !within {
	held = $0 "\n"
	next
}

/BUG: KCSAN/ {
	within = 1
	ours = 0
	report = ""
}

!within {
	print
	next
}

{
	report = report $0 "\n"
}

/ by (task|interrupt)/ {
	frames = 0
	next
}

++frames <= 3 && /\[(prism|simnic)\]/ {
	ours = 1
}

/====================/ {
	if (ours)
		printf "%s", report
	within = 0
}

END {
	printf "%s", held
	if (within)
		printf "%s", report
}
