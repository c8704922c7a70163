# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What the kernel holds on to, before and after something that happens many times.

declare -A held held_before

# at_hand: KiB of free pages that CPUs have at hand, which do not count as free: up to an eighth of
# memory, where they give and take many.
at_hand() { awk '$1 == "count:" { pages += $2 } END { print pages * 4 }' /proc/zoneinfo; }

# take_stock: in `held`, how many objects each slab cache has, and KiB of memory that
# is taken otherwise. What is kept for later only goes first: inodes, objects at hand
# for a CPU, what RCU has yet to free, and what KASAN holds back.
take_stock() {
	local n dir name count _

	for n in 1 2; do
		echo 3 >/proc/sys/vm/drop_caches
		for dir in /sys/kernel/slab/*; do
			[ -L "$dir" ] || echo 1 >"$dir"/shrink
		done
		pause 0.5
	done
	held=(["KiB used"]=0)
	while read -r name count _; do
		[[ $name = *[#:]* || $name = slabinfo || $name = vmap_area || $name = debug_objects_cache ||
			$name = kmemleak_object ]] || held["objects $name"]=$count
	done </proc/slabinfo
	while IFS=': ' read -r name count _; do
		case $name in
		Percpu | VmallocUsed | KernelStack) held["KiB $name"]=$count ;;
		# What is left when files and processes have theirs is the kernel's.
		MemTotal) held["KiB used"]=$((held["KiB used"] + count)) ;;
		MemFree | Buffers | Cached | AnonPages | PageTables | SReclaimable)
			held["KiB used"]=$((held["KiB used"] - count))
			;;
		esac
	done </proc/meminfo
	held["KiB at hand"]=$(at_hand)
	held["KiB used"]=$((held["KiB used"] - held["KiB at hand"]))
}

# memory_before: from here on memory is not to grow.
memory_before() {
	local what

	take_stock
	for what in "${!held[@]}"; do
		held_before[$what]=${held[$what]}
	done
}

# memory_flat DESCRIPTION TIMES [CACHE OBJECTS]: it has not grown since, though something happened
# so often. Half of the times would leave an object of any size, or a page, behind; less
# than the slack is chance: what is in use at a moment. The debug kernel keeps who last
# gave up a device or a namespace: 128 for each of these, and notes of all objects. In CACHE
# the kernel itself leaves so many each time.
slack_objects=400 slack_kib=8192
[ -z "$DEBUG_KERNEL" ] || slack_objects=$((400 + 128 * 20)) slack_kib=16384
memory_flat() {
	local what grown limit wrong='' most=() times

	take_stock
	for what in "${!held[@]}"; do
		[ "$what" != "KiB at hand" ] || continue
		grown=$((held[$what] - ${held_before[$what]:-0}))
		times=$2
		[ "$what" != "objects ${3-}" ] || times=$((2 * $4 * times))
		case $what in
		objects*) limit=$((times / 2 > slack_objects ? times / 2 : slack_objects)) ;;
		*) limit=$(($2 * 2 > slack_kib ? $2 * 2 : slack_kib)) ;;
		esac
		[ $grown -le $limit ] || wrong+="$grown more $what, of ${held_before[$what]:-0}; "
		[ $((grown * 4)) -le $limit ] || most+=("$what +$grown")
	done
	if [ -z "$wrong" ]; then
		pass "$1: memory is flat"
	else
		fail "$1: memory is flat" "$wrong"
	fi
	# With few times only much is seen each time.
	note "as far as more than $(((slack_objects > $2 / 2 ? slack_objects : $2 / 2) / $2)) objects of a size each time are seen"
	note "memory: ${most[*]-}" "KiB: used +$((held["KiB used"] - held_before["KiB used"]))," \
		"vmalloc +$((held["KiB VmallocUsed"] - held_before["KiB VmallocUsed"]))," \
		"per CPU +$((held["KiB Percpu"] - held_before["KiB Percpu"]))," \
		"at hand for CPUs +$((held["KiB at hand"] - held_before["KiB at hand"]))"
}
