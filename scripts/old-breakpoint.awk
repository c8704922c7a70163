# SPDX-License-Identifier: GPL-2.0
#
# Reads a guest's console. Succeeds where the kernel died of a breakpoint that was gone, and of
# nothing else: where one CPU patches code that another one meets, QEMU may have the other run
# what was there before. In what the kernel prints of its code then, the byte before the one
# that is marked is no int3 any more. Two CPUs may die of the same one.

/Oops: / {
	if (/Oops: int3/)
		begun = 1
	else
		differs = 1
}
begun && /Code: / {
	begun = 0
	if (/ [0-9a-f][0-9a-f] </ && !/ cc </)
		gone = 1
	else
		differs = 1
}
END { exit !gone || differs }
