#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Whatever the control plane asks of the kernel fails once: each allocation and each
# registration. What was asked for is then refused, or done all the same, as a whole;
# the next try succeeds, and traffic notices nothing.

. "${0%/*}/../lib.sh"
. "${0%/*}/../lib/faults.sh"
faults_ready
allocations_fail

# Where the kernel itself does most of it, only some fail, but for make soak.
scale 0 97 1
load_step=$REPLY
scale 0 67 1
device_step=$REPLY
scale 0 3 1
function_step=$REPLY
scale 0 5 1
other_step=$REPLY

# steady ARG...: a flow in which lost is what does not come in ten seconds, as a debug kernel
# may be busy with what it makes and frees for longer than one.
steady() {
	background steady udp --from remote --to c1 --source "$remote_ip" --destination "$c1_ip" \
		--count 0 --rate 200 --patience 10000 "$@"
}

# steadily WHEN: the steady flow has lost nothing, and goes on.
steadily() {
	ended steady
	equal "$1: no datagram is lost" "${got[lost]-} ${got[duplicate]-} ${got[corrupt]-}" "0 0 0" "$report"
	at_least "$1: there were many" "${got[received]-0}" 20
}

# failing_function NAME ERROR DESCRIPTION ARG...: that function fails, and no allocation
# that anybody waits for.
failing_function() {
	local function=$1 error=$2 what=$3
	shift 3

	fault_attribute failslab ignore-gfp-wait Y
	fault_attribute fail_page_alloc ignore-gfp-wait Y
	function_fails "$function" "$error"
	failing "$what, $function fails" --function "$function" "$@"
	at_least "$what: $function was made to fail" "$((${got[refused]-0} + ${got[done]-0}))" 1
	echo >"$debugfs"/fail_function/inject
	allocations_fail
}

# enabling_is_refused DESCRIPTION: three times. Few of the calls are ours, and which one is the
# n-th differs from try to try, as the slab allocator wants pages now and then: so it is tried
# from the first on again until it was.
enabling_is_refused() {
	local refused=0 n

	for ((n = 0; n < 5 && refused < 3; n++)); do
		failing_whole "$1" "${enable[@]}"
		refused=$((refused + ${got[refused]-0}))
	done
	at_least "$1: it is refused" "$refused" 3
}

underlay
overlay_bridge
rmmod prism
insmod "$SELFTESTS"/../failable.ko

# Loading.
load=(--undo "unload prism" --shown /sys/kernel/prism --shown "$CONFIG" load "$SELFTESTS/../prism.ko")
steady
failing "loading" --step "$load_step" "${load[@]}"
at_least "loading is refused" "${got[refused]-0}" 3
for function in pcpu_alloc_noprof alloc_netdev_dummy; do
	failing_function $function 0 "loading" --step "$function_step" "${load[@]}"
	at_least "loading is refused without $function" "${got[refused]-0}" 1
done
for function in sysfs_create_group configfs_register_subsystem; do
	failing_function $function -12 "loading" "${load[@]}"
	at_least "loading is refused without $function" "${got[refused]-0}" 1
done
failing_function kobject_create_and_add 0 "loading" "${load[@]}"
# These have files that are looked into only, and refuse nothing.
for function in debugfs_create_dir debugfs_create_file_full; do
	failing_function $function -12 "loading" "${load[@]}"
	equal "loading goes on without $function" "${got[refused]-}" 0
done
insmod "$SELFTESTS"/../prism.ko
steadily "while loading fails"

# Rules. What matches the new one is counted, and nothing else is to.
mode off
steady --source-port 41000 --port 5002
dir=$RULES/new
failing "mkdir" --undo "rmdir $dir" --shown "$RULES" mkdir "$dir"
at_least "mkdir is refused" "${got[refused]-0}" 5
failing "mkdir of a long name" --undo "rmdir ${dir}_$BASHPID-that-is-allocated" --shown "$RULES" \
	mkdir "${dir}_$BASHPID-that-is-allocated"
failing_function pcpu_alloc_noprof 0 "mkdir" --undo "rmdir $dir" --shown "$RULES" mkdir "$dir"

mkdir "$dir"
echo udp >"$dir"/protocol
echo 5001 >"$dir"/destination_port
enable=(--undo "write $dir/enabled 0" --shown "$dir/enabled" write "$dir/enabled" 1)
enabling_is_refused "a rule is enabled"
mode sync
failing_whole "the first rule is enabled" --undo "write $PRISM/mode off" --undo "write $dir/enabled 0" \
	--undo "write $PRISM/mode sync" --shown "$dir/enabled" --shown "$PRISM/mode" write "$dir/enabled" 1

# What is refused at last has had hooks on all devices: no packet is to wait for those that do not come.
scale 0 60 300
tries=$REPLY refused=0
background fast udp --from remote --to c1 --source "$remote_ip" --destination "$c1_ip" --count 0 --window 8 --patience 10000
function_fails gro_find_receive_by_type
fault_attribute fail_function space 0
fault_attribute fail_function times -1
fault_attribute fail_function probability 100
counters
for ((n = 0; n < tries; n++)); do
	echo 1 >"$dir"/enabled 2>/dev/null || refused=$((refused + 1))
done
counted
fault_attribute fail_function probability 0
echo >"$debugfs"/fail_function/inject
ended fast
equal "a rule whose hooks cannot all be had is refused" "$refused" "$tries"
equal "nothing is held for them" "${delta[held]}" 0
arrived "a fast flow meanwhile"
mode off

# So many rules that they are put into one table only now and then: with one more.
scale 0 200 1000
many=$REPLY
check "many rules" "$WIRE" rules add --count "$many" "vni={n}" protocol=udp destination_port=6001 class=bulk enabled=1
pause 0.5
enabling_is_refused "a rule beside many is enabled"
echo 1 >"$dir"/enabled
failing_whole "a rule is disabled" --undo "write $dir/enabled 1" --shown "$dir/enabled" write "$dir/enabled" 0
# The large table is made in the background. Where that fails, there are still two.
for ((n = 0; n < 5; n++)); do
	workers_fail 1
	echo 0 >"$dir"/enabled
	echo 1 >"$dir"/enabled
	pause 0.4
	workers_fail 0
	[ "$REPLY" = 0 ] || break
done
at_least "rules are taken into one table in vain" "$REPLY" 1
mode sync
udp4 --count 30
arrived "with rules in two tables"
at_least "they are found" "$(<"$dir"/packets)" 30
packets=$(<"$dir"/packets)
"$WIRE" rules flip --count 1 --name again vni=7 protocol=udp enabled=1 >/dev/null
pause 0.4
udp4 --count 30
arrived "with rules in one table again"
at_least "they are found again" "$(<"$dir"/packets)" $((packets + 30))
mode off
check "they go" "$WIRE" rules remove --count "$many"
mkdir "$RULES"/gone
failing "rmdir" --undo "mkdir $RULES/gone" --shown "$RULES" rmdir "$RULES/gone"
rmdir "$RULES"/gone
steadily "while rules fail"

# Modes, with one rule that is enabled.
steady
switch=(--shown "$PRISM/mode" --shown "$PRISM/isolate")
off_to_sync=("${switch[@]}" --undo "write $PRISM/mode off" write "$PRISM/mode" sync)
failing_whole "off to sync" "${off_to_sync[@]}"
at_least "sync is refused" "${got[refused]-0}" 10
for function in register_netdevice_notifier register_switchdev_notifier \
	register_switchdev_blocking_notifier nf_register_net_hook; do
	failing_function $function -12 "off to sync" "${off_to_sync[@]}"
	equal "sync is refused each time" "${got[done]-} ${got[without]-}" "0 0"
done
fault_errors="ENOMEM EOPNOTSUPP"
failing_function gro_find_receive_by_type 0 "off to sync" "${off_to_sync[@]}"
fault_errors=ENOMEM
mode sync
last=sync
for next in express batch sync; do
	failing_whole "$last to $next" "${switch[@]}" --undo "write $PRISM/mode $last" write "$PRISM/mode" $next
	mode $next
	last=$next
done
failing "sync to off" "${switch[@]}" --undo "write $PRISM/mode sync" write "$PRISM/mode" off
failing_whole "isolation" "${switch[@]}" --undo "write $PRISM/isolate 0" write "$PRISM/isolate" 1
isolate 1
failing_whole "the end of isolation" "${switch[@]}" --undo "write $PRISM/isolate 1" write "$PRISM/isolate" 0
isolate 0
mode off
failing_whole "isolation in mode off" "${switch[@]}" --undo "write $PRISM/isolate 0" write "$PRISM/isolate" 1
mode sync

# Other knobs that take something.
slice=(--undo "write $PRISM/receiver_slice_us 0" --shown "$PRISM/receiver_slice_us"
	write "$PRISM/receiver_slice_us" 100)
failing "a slice for receivers" "${slice[@]}"
failing_function tracepoint_probe_register -12 "a slice for receivers" "${slice[@]}"
equal "a slice is refused each time" "${got[refused]-} ${got[done]-}" "2 0"
devices=(--shown "$PRISM/devices")
failing_whole "devices by name" "${devices[@]}" --undo "write $PRISM/devices auto" write "$PRISM/devices" nic0
echo lo >"$PRISM"/devices
failing_whole "other devices" "${devices[@]}" --undo "write $PRISM/devices lo" write "$PRISM/devices" nic0
failing_function nf_register_net_hook -12 "other devices" "${devices[@]}" \
	--undo "write $PRISM/devices lo" write "$PRISM/devices" nic0
equal "they are refused each time" "${got[done]-} ${got[without]-}" "0 0"
echo auto >"$PRISM"/devices
steadily "while modes and knobs fail"

# Devices that come and go. Nobody can refuse them, so the module goes without.
steady
# A netdev whose name finds no memory has none, which device_add() calls EINVAL.
fault_errors="ENOMEM ENOBUFS EINVAL"
failing "a veth pair comes" --step "$device_step" --undo "remove veth9" add veth veth9
failing_function nf_register_net_hook -12 "a veth pair comes" --undo "remove veth9" add veth veth9
equal "the pair comes without hooks" "${got[refused]-} ${got[done]-} ${got[without]-}" "0 2 2"
in_ns '' <<<"link add veth9 type veth"
failing_whole "a veth pair goes" --step "$other_step" --undo "add veth veth9" remove veth9
failing "a VXLAN device comes" --step "$device_step" --undo "remove vx900" add vxlan vx900 900
in_ns '' <<<"link add vx901 type vxlan id 901 dstport 8472 local $host_ip dev nic0"
failing_whole "a VXLAN device is up" --step "$other_step" --undo "down vx901" up vx901
sim_load
failing "a NIC comes" --step "$device_step" --undo "rmdir $sim" mkdir "$sim"
failing_function nf_register_net_hook -12 "a NIC comes" --undo "rmdir $sim" mkdir "$sim"
equal "the NIC comes without a hook" "${got[refused]-} ${got[done]-} ${got[without]-}" "0 1 1"
mkdir "$sim"
failing_whole "a NIC goes" --step "$function_step" --undo "mkdir $sim" rmdir "$sim"
rmdir "$sim"
check "the NIC's module unloads" rmmod simnic
fault_errors=ENOMEM
steadily "while devices fail"

# After all that, everything is as ever.
mode off
mode sync
udp4 --count 3
counters
udp4 --count 30
counted
arrived "afterwards"
ran_to_completion "afterwards" 30

# Unloading.
remove_rules
mode off
failing "unloading" --step "$other_step" --undo "load $SELFTESTS/../prism.ko" --shown /sys/kernel/prism --shown "$CONFIG" unload prism
faults_over
check "what may be made to fail goes" rmmod failable
equal "nothing of it is left" "$(prism_hooks)" 0
finish
