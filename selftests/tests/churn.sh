#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Devices and namespaces that come and go while traffic runs.

. "${0%/*}/../lib.sh"
trap ended_early EXIT

underlay
overlay_bridge
high udp vni=100 protocol=udp
high tcp protocol=tcp
high host vni=none protocol=udp
mode sync
counters
background steady udp --from remote --to c1 --source "$remote_ip" --destination "$c1_ip" --count 0 --window 24
background tcp tcp --from remote --to c1 --destination "$c1_ip" --port 5003 --endless

# Another container, with traffic until its end. The socket that receives keeps its namespace until then.
scale 12 4
times=$REPLY received=0
for ((n = 0; n < times; n++)); do
	neighbour c9 25 99
	background c9 udp --from remote --to c9 --source "$remote_ip" --source-port 41000 --port 5009 \
		--destination "${c1_ip%.*}.99" --count 0 --patience 50
	ip netns del c9
	# Its devices go while packets are under way.
	case $((n % 3)) in
	0) ;;
	1) in_ns '' <<<"link set c9h nomaster" ;;
	2) in_ns '' <<<"link set c9h down" ;;
	esac
	in_ns '' <<<"link del c9h"
	ended c9
	received=$((received + ${got[received]-0}))
done
at_least "containers came and went, with packets to each" "$received" "$times"

# Other networks on the same port.
for ((n = 0; n < times; n++)); do
	other_networks
done
pass "VXLAN devices came and went"

running steady && running tcp
equal "the flows went on all the while" $? 0
ended steady
counted
equal "the neighbour lost nothing" "${got[lost]-} ${got[duplicate]-} ${got[corrupt]-}" "0 0 0" "$report"
at_least "the neighbour received much" "${got[received]-0}" 1000
at_least "the neighbour's packets ran to completion" "${delta[delivered]}" 500

# The NIC and the VXLAN device go down and up under TCP, which survives it.
for dev in vx100 nic0 br100; do
	in_ns '' <<-END
		link set $dev down
		link set $dev up
	END
	address nic0 '' "$host_ip" "$host_ip6"
done
# What goes with the NIC's addresses.
pause 1
ended tcp
equal "TCP survives devices that go down and up" "${got[lost]-}" 0 "$report"
counters
udp4 --count 5
udp4 --count 30
counted
arrived "afterwards, the flow"
at_least "it runs to completion" "${delta[delivered]}" 30

# The device that a flow comes in through is chosen and dropped under traffic.
background steady udp --from remote --to c1 --source "$remote_ip" --destination "$c1_ip" --count 0 --window 24
for ((n = 0; n < 6; n++)); do
	echo nic0 >"$PRISM"/devices
	echo lo >"$PRISM"/devices
	nic_gro off
	echo auto >"$PRISM"/devices
	nic_gro on
done
ended steady
equal "nothing is lost when entry devices and GRO change" \
	"${got[lost]-} ${got[duplicate]-} ${got[corrupt]-}" "0 0 0" "$report"

# All of it at once, under full traffic.
background steady udp --from remote --to c1 --source "$remote_ip" --destination "$c1_ip" --count 0 --window 64
remove_rules
check "the module goes under full traffic" rmmod prism
insmod "$SELFTESTS"/../prism.ko
ended steady
equal "nothing is lost when the module goes" "${got[lost]-} ${got[duplicate]-} ${got[corrupt]-}" "0 0 0" "$report"

high udp vni=100 protocol=udp
mode sync
background steady udp --from remote --to c1 --source "$remote_ip" --destination "$c1_ip" --count 0 --window 64
for ns in c1 c2; do
	ip netns del $ns
done
in_ns '' <<-END
	link del vx100
	link del br100
END
kill -TERM "${background_pid[steady]}"
wait "${background_pid[steady]}"
pass "everything was taken down under traffic"
finish
