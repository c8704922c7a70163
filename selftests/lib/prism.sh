# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The module: mode, rules, counters.

declare -A before delta

loaded() { [ -d /sys/module/prism ]; }

# mode off|sync|express
mode() {
	echo "$1" >"$PRISM"/mode || fail "mode $1 is accepted"
}

# has_switchdev: whether the kernel has CONFIG_NET_SWITCHDEV.
has_switchdev() { grep -q ' register_switchdev_notifier$' /proc/kallsyms; }

# kept_long: whether something of this kernel keeps all packets from the short way of mode
# express. In REPLY, as which counter has it: hooks of br_netfilter on each bridge, where that
# is built in; or nothing tells of what changes at bridges (no switchdev).
kept_long() {
	REPLY=
	if [ -e /proc/sys/net/bridge ]; then
		REPLY=express_hook
	elif ! has_switchdev; then
		REPLY=express_learn
	fi
	[ -n "$REPLY" ]
}

# isolate 0|1
isolate() {
	echo "$1" >"$PRISM"/isolate || fail "isolate $1 is accepted"
}

# settings: each mode with isolation and without, as MODE,ISOLATE, in REPLY. On a slow kernel
# each mode but once.
settings() {
	local all="sync,0 sync,1 batch,0 batch,1 express,0 express,1"

	scale "$all" "sync,0 batch,1 express,1" "$all"
}

# setting MODE,ISOLATE: in REPLY, in words.
setting() {
	mode "${1%,*}"
	isolate "${1#*,}"
	REPLY="mode ${1%,*}, isolate ${1#*,}"
}

# knob NAME VALUE: until the test ends.
declare -A knob_before
knob() {
	[ -n "${knob_before[$1]-}" ] || read -r "knob_before[$1]" <"$PRISM/$1"
	echo "$2" >"$PRISM/$1" || fail "$1 $2 is accepted"
}
restore_knobs() {
	local name

	for name in "${!knob_before[@]}"; do
		echo "${knob_before[$name]}" >"$PRISM/$name"
	done
}

# rule NAME FIELD=VALUE...: makes a rule and enables it.
rule() {
	local dir=$RULES/$1 field
	shift

	mkdir "$dir" || return
	for field; do
		echo "${field#*=}" >"$dir/${field%%=*}" || return
	done
	echo 1 >"$dir/enabled"
}

# high NAME FIELD=VALUE...: the same of class high.
high() { rule "$@" class=high; }

remove_rules() {
	local dirs=("$RULES"/*)

	[ ! -d "${dirs[0]}" ] || rmdir "${dirs[@]}"
}

# sums VARIABLE: each counter's sum over all CPUs, by its name. The file that has all of them is
# read in a hundredth of the time that a file for each takes.
sums() {
	local -n into=$1
	local lines line counts

	mapfile -t lines </sys/kernel/debug/prism/counters
	into=()
	for line in "${lines[@]:1}"; do
		counts=${line#* }
		into[${line%% *}]=$((${counts// /+}))
	done
}

# sums_at_rest VARIABLE: the same once nothing counts any more, or after a moment: some count when the
# receiver has its packet already, or at the end of a turn.
sums_at_rest() {
	local -n latest=$1
	local tries earlier

	sums "$1"
	for ((tries = 0; tries < 5; tries++)); do
		earlier=${latest[*]}
		pause 0.01
		sums "$1"
		[ "$earlier" != "${latest[*]}" ] || return
	done
}

# counters: the state of all counters, from where `counted` starts to count.
counters() { sums_at_rest before; }

# counted: in delta, how much each counter has moved since.
counted() {
	local name

	sums_at_rest delta
	for name in "${!delta[@]}"; do
		delta[$name]=$((delta[$name] - ${before[$name]:-0}))
	done
}

# moved: the counters that have moved, in words, in REPLY.
moved() {
	local name

	REPLY=
	for name in "${!delta[@]}"; do
		[ "${delta[$name]}" = 0 ] || REPLY+="$name=${delta[$name]} "
	done
}

# left_to_kernel: the sum of the reasons to hand a packet back, in REPLY.
left_to_kernel() {
	local name sum=0

	for name in "${!delta[@]}"; do
		case $name in
		kernel_*) sum=$((sum + delta[$name])) ;;
		esac
	done
	REPLY=$sum
}

# reconciles: whether all that ever waited was served or is counted as lost.
reconciles() {
	local name value waited=0

	for name in deferred_{interactive,normal,bulk} served dropped_{interactive,normal,bulk} purged; do
		read -r value <"$PRISM/stats/$name"
		case $name in
		deferred_*) waited=$((waited + value)) ;;
		*) waited=$((waited - value)) ;;
		esac
	done
	[ $waited = 0 ]
}

# prism_hooks: how many hooks and references of the module the kernel shows.
prism_hooks() {
	command nft list hooks 2>/dev/null | grep -c '\[prism\]'
}

# has_no_ingress DEVICE: whether the module has no ingress hook there. It goes soon
# after the device has handed a frame to GRO.
has_no_ingress() {
	! command nft list hooks netdev device "$1" | grep -q '\[prism\]'
}

# interrupt: the number of that which nic0 receives by, in REPLY.
interrupt() {
	local device

	device=$(readlink /sys/class/net/nic0/device)
	REPLY=$(awk -v name="${device##*/}-input.0" '$NF == name { sub(":", "", $1); print $1 }' /proc/interrupts)
}

# errno write|mkdir|rmdir ...: prints ok or the name of the error.
errno() { "$WIRE" errno "$@" 2>&1; }

# log_since MARK: the kernel's log since `log_mark MARK`.
log_mark() { echo "selftests: $1" >/dev/kmsg; }
log_since() { dmesg | sed "1,/selftests: $1\$/d"; }
