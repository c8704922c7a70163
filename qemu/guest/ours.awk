# SPDX-License-Identifier: GPL-2.0
# The kernel's log without the data races that KCSAN tells of in which no module of
# ours takes part: the kernel has some of its own. Who takes part is among the three that
# are closest to the access; further out, a module of ours may only have had a packet
# received. And without what a CPU says that goes offline with packets to receive (NET_RX, 08) or with
# sockets to send from (TCP's work in BH, by TASKLET, 40): ksoftirqd does not run there any more, and another CPU
# takes both.

/NOHZ tick-stop error: local softirq work is pending, handler #(08|40|48)!/ && !within {
	# Each time that it has nothing else to do.
	held = held $0 "\n"
	next
}

held != "" {
	if (!/ CPU [0-9]+ is now offline/)
		printf "%s", held
	held = ""
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
