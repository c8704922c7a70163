#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What is refused: with which error, with one line in the log that names field
# and value, and with the old state kept.

. "${0%/*}/../lib.sh"
trap ended_early EXIT

marks=0

# refused DESCRIPTION FILE VALUE ERROR [NAMED]: writing VALUE gives that error and
# a line that has NAMED (the file's name) and VALUE; what was there stays.
refused() {
	local file=$2 old lines found named=${5-${2##*/}}

	old=$(<"$file")
	marks=$((marks + 1))
	log_mark "bad $marks"
	equal "$1: the error" "$(errno write "$file" "$3")" "$4"
	equal "$1: the old value stays" "$(<"$file")" "$old"
	lines=$(log_since "bad $marks" | grep 'prism: ')
	found=()
	[ -z "$lines" ] || mapfile -t found <<<"$lines"
	equal "$1: one line in the log" "${#found[@]}" 1 "$lines"
	if [[ $lines == *"$named"*"'${3:0:20}"* ]]; then
		pass "$1: it names $named and '$3'"
	else
		fail "$1: it names $named and '$3'" "$lines"
	fi
}

# Knobs.
echo sync >"$PRISM"/mode
refused "an unknown mode" "$PRISM"/mode fast EINVAL
refused "an empty mode" "$PRISM"/mode "" EINVAL
refused "a mode and more" "$PRISM"/mode "sync now" EINVAL
echo off >"$PRISM"/mode
refused "a priority that is no number" "$PRISM"/priority_high high EINVAL
refused "a negative priority" "$PRISM"/priority_high -1 EINVAL
refused "a priority over 32 bits" "$PRISM"/priority_high 4294967296 EINVAL
refused "a device that does not exist" "$PRISM"/devices nothere0 ENODEV
refused "a device's name that is too long" "$PRISM"/devices abcdefghijklmnopqrstuvwxyz ENODEV

# A container may give a NIC that it has any name.
read -r _ nic others <"$PRISM"/devices
ip link set "$nic" name $'nic\xff'
equal "a NIC whose name is no text is left out" "$(<"$PRISM"/devices)" "auto${others:+ $others}"
ip link set $'nic\xff' name "$nic"
equal "and there again under its own" "$(<"$PRISM"/devices)" "auto $nic${others:+ $others}"

for knob in quantum:0 quantum:65 limit:0 limit_bytes:1 recent_us:10000001 high_share:0 high_share:101 \
	weight_bulk:0 weight_normal:1001 weight_interactive:-1 quantum:; do
	refused "${knob%:*} of '${knob#*:}'" "$PRISM/${knob%:*}" "${knob#*:}" EINVAL
done
refused "an unknown class to accelerate" "$PRISM"/accelerate all EINVAL
refused "isolation that is neither on nor off" "$PRISM"/isolate maybe EINVAL

# Fields of a rule.
rule=$RULES/bad
mkdir "$rule"
refused "a VNI over 24 bits" "$rule"/vni 16777216 EINVAL
refused "a VNI that is no number" "$rule"/vni 0x64 EINVAL
refused "an unknown protocol" "$rule"/protocol udpp EINVAL
refused "a protocol over 255" "$rule"/protocol 256 EINVAL
refused "a malformed prefix" "$rule"/source 10.0.0/8 EINVAL
refused "a prefix that is too long" "$rule"/source 10.0.0.0/33 EINVAL
refused "a prefix with host bits" "$rule"/destination 10.0.0.1/8 EINVAL
refused "an IPv6 prefix that is too long" "$rule"/destination fd00::/129 EINVAL
refused "a name for an address" "$rule"/destination localhost EINVAL
refused "a reversed range of ports" "$rule"/destination_port 9000-8000 EINVAL
refused "port 0" "$rule"/source_port 0 EINVAL
refused "a port over 16 bits" "$rule"/source_port 65536 EINVAL
refused "half a range" "$rule"/source_port 5- EINVAL
refused "a DSCP over 63" "$rule"/dscp 64 EINVAL
refused "an unknown class" "$rule"/class urgent EINVAL
refused "a rate that is no number" "$rule"/rate 5k EINVAL
refused "a rate over the limit" "$rule"/rate 1000000001 EINVAL
refused "enabled that is neither" "$rule"/enabled 2 EINVAL

# Rules as a whole.
refused "a rule without a match" "$rule"/enabled 1 EINVAL
echo 5001 >"$rule"/destination_port
refused "ports without a protocol" "$rule"/enabled 1 EINVAL
echo udp >"$rule"/protocol
echo 10.0.0.0/8 >"$rule"/source
echo fd00::/8 >"$rule"/destination
refused "addresses of two versions" "$rule"/enabled 1 EINVAL
echo any >"$rule"/destination
equal "a rule that is well is enabled" "$(errno write "$rule"/enabled 1)" ok
refused "a change of an enabled rule" "$rule"/vni 100 EBUSY
equal "and is disabled" "$(errno write "$rule"/enabled 0)" ok
equal "it can be changed then" "$(errno write "$rule"/vni 100)" ok

# Names.
long=$(printf 'n%.0s' {1..200})
marks=$((marks + 1))
log_mark "bad $marks"
result=$(errno mkdir "$RULES/$long")
matches "a name that is too long" "$result" 'ENAMETOOLONG|EINVAL'
equal "a name with a space" "$(errno mkdir "$RULES/a b")" EINVAL
equal "a name that is taken" "$(errno mkdir "$rule")" EEXIST
equal "each is in the log" "$(log_since "bad $marks" | grep -c 'prism: rule ')" 2
equal "none of them is there" "$(echo "$RULES"/*)" "$rule"

# Who may write, and who may read.
for file in "$PRISM"/mode "$PRISM"/devices "$PRISM"/priority_high "$rule"/vni "$rule"/enabled; do
	old=$(cat "$file")
	equal "${file##*/}: others may not write" "$(errno write --uid 65534 "$file" "$old")" EACCES
	case $file in
	*/devices | "$rule"/*) read='' what="may not" ;;
	*) read=$old what=may ;;
	esac
	equal "${file##*/}: others $what read" "$(setpriv --reuid 65534 --clear-groups cat "$file" 2>/dev/null)" "$read"
done
equal "others make no rules" "$(errno mkdir --uid 65534 "$RULES"/theirs)" EACCES
equal "others remove no rules" "$(errno rmdir --uid 65534 "$rule")" EACCES
for file in "$PRISM"/stats/classified "$rule"/packets "$rule"/bytes; do
	matches "${file##*/}: nobody writes a counter" "$(errno write "$file" 0)" 'EACCES|EPERM'
done

# Two writers at once: each write is whole, and the last one counts.
scale 200 60
for pair in "$PRISM/mode off sync" "$PRISM/priority_high 6 7" "$rule/source 10.0.0.0/8 fd00::/8" "$rule/enabled 0 1"; do
	read -r file first second <<<"$pair"
	"$WIRE" rules alternate --count "$REPLY" "$file" "$first" "$second" >/run/selftests.w1 2>&1 &
	one=$!
	"$WIRE" rules alternate --count "$REPLY" "$file" "$second" "$first" >/run/selftests.w2 2>&1
	wait $one
	matches "two writers of ${file##*/}" "$(cat /run/selftests.w1 /run/selftests.w2)" \
		"^done=$REPLY .*done=$REPLY "
	matches "two writers of ${file##*/}: the value is one of theirs" " $(cat "$file") " " ($first|$second) "
done
echo 0 >"$rule"/enabled
echo 6 >"$PRISM"/priority_high

# A module with rules is in use.
equal "the module stays while there are rules" "$(rmmod prism 2>&1 | grep -c 'in use')" 1
rmdir "$rule"
finish
